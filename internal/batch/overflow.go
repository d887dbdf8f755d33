package batch

import "io"

// overflow keeps outputs that wait for their place in the order when the store has
// no more room. By then nothing but the head is started any more, so that it takes
// what was under way, and loses nothing of it. It is the writer's alone.
type overflow struct {
	dir   string
	file  *spill
	end   int64 // of what is in the file
	waits int   // outputs in it that were not printed
}

// stretch is where the outputs of an instance are in an overflow.
type stretch struct{ at, stdout, stderr int64 }

func (s stretch) kept() bool { return s.stdout+s.stderr > 0 }

// put keeps the outputs of an instance. It blocks on the disk.
func (o *overflow) put(stdout, stderr printed) (s stretch, err error) {
	if o.file == nil {
		if o.file, err = newSpill(o.dir); err != nil {
			return stretch{}, err
		}
	}
	w := io.NewOffsetWriter(o.file.f, o.end)
	s.at = o.end
	if s.stdout, err = stdout.WriteTo(w); err != nil {
		return stretch{}, err
	}
	if s.stderr, err = stderr.WriteTo(w); err != nil {
		return stretch{}, err
	}
	o.end += s.stdout + s.stderr
	o.waits++
	return s, nil
}

// reader gives what was put. It may be read until it was printed.
func (o *overflow) reader(s stretch) (stdout, stderr io.Reader) {
	return io.NewSectionReader(o.file.f, s.at, s.stdout), io.NewSectionReader(o.file.f, s.at+s.stdout, s.stderr)
}

// printed says that an output has been. With the last one the room is given back.
func (o *overflow) printed() {
	if o.waits--; o.waits == 0 {
		o.close()
	}
}

func (o *overflow) close() {
	o.file.close()
	o.file, o.end, o.waits = nil, 0, 0
}
