package pool

import (
	"io"
	"os"
)

// Output is what an attempt wrote to one of its streams: in memory when it is
// small, else a part of a file that has no name. It is valid as long as the
// Result that it came with.
type Output struct {
	mem  []byte
	file *os.File
	off  int64
	n    int64
}

// BytesOutput makes an Output of bytes, which it keeps.
func BytesOutput(b []byte) Output { return Output{mem: b} }

// FileOutput makes an Output of the first n bytes of a file, which is to stay open for
// as long as it is used.
func FileOutput(f *os.File, n int64) Output { return Output{file: f, n: n} }

// Len returns the number of bytes.
func (o *Output) Len() int64 {
	if o.file != nil {
		return o.n
	}
	return int64(len(o.mem))
}

// WriteTo writes all of it to w, in constant memory.
func (o *Output) WriteTo(w io.Writer) (int64, error) {
	if o.file == nil {
		if len(o.mem) == 0 {
			return 0, nil
		}
		n, err := w.Write(o.mem)
		return int64(n), err
	}
	return io.Copy(w, io.NewSectionReader(o.file, o.off, o.n))
}

// Tail returns up to limit of the last bytes.
func (o *Output) Tail(limit int) []byte {
	if o.file == nil {
		return o.mem[max(0, len(o.mem)-limit):]
	}
	n := min(int64(limit), o.n)
	b := make([]byte, n)
	got, _ := o.file.ReadAt(b, o.off+o.n-n)
	return b[:got]
}

// Bytes returns all of it when it is at most limit bytes long.
func (o *Output) Bytes(limit int64) ([]byte, bool) {
	if o.Len() > limit {
		return nil, false
	}
	return o.Tail(int(limit)), true
}
