package batch

import (
	"io"
	"sync"

	"github.com/feac4032/multiproc/config"
)

// pump reads a source that may block, one batch ahead of the scheduler.
type pump struct {
	ready func() // a batch, or the end, can be taken

	mu    sync.Mutex
	batch []item
	full  bool // batch, or the end, waits to be taken
	err   error
	ended bool
	quit  bool
	taken sync.Cond
}

func newPump(ready func()) *pump {
	p := &pump{ready: ready}
	p.taken.L = &p.mu
	return p
}

// run opens the source and reads it to its end, or until stop.
func (p *pump) run(f *config.Foreach, dir string, stdin io.Reader, tap *tap) {
	src, err := openSource(f, dir, stdin, tap)
	if err != nil {
		p.put(nil, err)
		return
	}
	defer src.close()
	for {
		batch, err := src.more(nil)
		if !p.put(batch, err) || err != nil {
			return
		}
	}
}

// put hands a batch over and waits until it is taken. It reports false when
// nobody wants more.
func (p *pump) put(batch []item, err error) bool {
	p.mu.Lock()
	if p.quit {
		p.mu.Unlock()
		return false
	}
	p.batch, p.full = batch, true
	if err != nil {
		p.ended = true
		if err != io.EOF {
			p.err = err
		}
	}
	p.mu.Unlock()
	p.ready()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.full && !p.quit {
		p.taken.Wait()
	}
	return !p.quit
}

// take returns what there is, possibly nothing yet. ended says that it was the
// last.
func (p *pump) take() (batch []item, err error, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	batch, p.batch, p.full = p.batch, nil, false
	p.taken.Signal()
	return batch, p.err, p.ended
}

// stop lets run return as soon as it is not reading.
func (p *pump) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quit = true
	p.taken.Signal()
}
