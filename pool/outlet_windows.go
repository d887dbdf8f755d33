package pool

import "os"

// outlet is a pair of pipes for one command's stdout and stderr.
type outlet struct{ stdout, stderr pipe }

// pipe is one of the two. It cannot be read without blocking here, so that it is
// read to its end, which comes when all writers have gone.
type pipe struct {
	r, w *os.File
	over chan struct{}
}

func newOutlet() (*outlet, error) {
	o := new(outlet)
	var err error
	if o.stdout.r, o.stdout.w, err = os.Pipe(); err != nil {
		return nil, err
	}
	if o.stderr.r, o.stderr.w, err = os.Pipe(); err != nil {
		closeAll(o.stdout.r, o.stdout.w)
		return nil, err
	}
	return o, nil
}

func (p *pipe) begin(s *stream) {
	p.over = make(chan struct{})
	go func() {
		defer close(p.over)
		buf := readBuffers.Get().(*[32 << 10]byte)
		defer readBuffers.Put(buf)
		for {
			n, err := p.r.Read(buf[:])
			if n > 0 {
				s.take(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
}

func (o *outlet) begin(stdout, stderr *stream) {
	o.stdout.begin(stdout)
	o.stderr.begin(stderr)
}

// end waits for the end of both. The outlet cannot be used again.
func (o *outlet) end() bool {
	closeAll(o.stdout.w, o.stderr.w)
	<-o.stdout.over
	<-o.stderr.over
	return false
}

func (o *outlet) close() { closeAll(o.stdout.r, o.stdout.w, o.stderr.r, o.stderr.w) }

func closeAll(files ...*os.File) {
	for _, f := range files {
		f.Close()
	}
}
