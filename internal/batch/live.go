package batch

import (
	"bytes"
	"sync"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/mask"
)

// maxLine bounds a line that is printed as it comes, in bytes: a longer one is
// broken, and goes on in the next. maxBuffered bounds what is kept of an instance
// until it is the head of the order.
const (
	maxLine     = 1 << 20
	maxBuffered = 64 << 10
)

// flow is what an attempt writes, where that is looked at while it does so.
type flow struct {
	mu   sync.Mutex
	line [2][]byte // live: a line that is not ended yet. Order: what was not printed yet

	streams bool // order: it is the head, and is printed as it comes
	missed  bool // order: it has written more than was kept, and is printed when it has ended

	veil [2]*mask.Stream // of each stream; nil = there are no secrets
	buf  [2][]byte       // what came through it: the streams come at the same time
}

// newFlow makes the flow of an instance.
func (r *run) newFlow() *flow {
	return &flow{veil: [2]*mask.Stream{r.mask.Stream(), r.mask.Stream()}}
}

// follows reports whether the output of an instance is looked at while it writes
// it: with live, and in order where it is what is printed in the end.
func (r *run) follows(in *Instance) bool {
	switch {
	case !r.shows || in.Job.Stdout != nil:
		return false
	case r.cfg.Output == config.OutputLive:
		return true
	}
	return r.led.order != nil && r.led.tag == nil && in.Job.Retry.Max == 0
}

// Output implements Observer.
func (r *run) Output(in *Instance, isStderr bool, p []byte) {
	f := in.flow
	if f == nil {
		return
	}
	to := toStdout
	if isStderr {
		to = toStderr
	}
	if f.veil[to] != nil {
		f.buf[to] = f.veil[to].Append(f.buf[to][:0], p)
		p = f.buf[to]
	}
	r.flows(in, f, to, p)
}

// flows prints or keeps what an instance writes, in which nothing is to be hidden any
// more.
func (r *run) flows(in *Instance, f *flow, to stream, p []byte) {
	if len(p) == 0 {
		return
	}
	if r.led.order != nil {
		r.ordered(in, f, to, p)
		return
	}
	f.mu.Lock()
	last := bytes.LastIndexByte(p, '\n')
	line := f.line[to]
	switch {
	case last >= 0:
		whole := append(line, p[:last+1]...)
		f.line[to] = append([]byte(nil), p[last+1:]...)
		f.mu.Unlock()
		r.led.stream(to, tagged(r.led.tag(in), whole))
		return
	case len(line)+len(p) > maxLine:
		whole := append(append(line, p...), '\n')
		f.line[to] = nil
		f.mu.Unlock()
		r.led.stream(to, tagged(r.led.tag(in), whole))
		return
	}
	f.line[to] = append(line, p...)
	f.mu.Unlock()
}

// ordered prints what an instance writes if it is the head of the order and will
// not be tried again, and otherwise keeps some of it for when it is.
func (r *run) ordered(in *Instance, f *flow, to stream, p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.missed {
		return
	}
	if !f.streams && !r.led.order.heads(spot{in.state.place, in.Index}) {
		if len(f.line[0])+len(f.line[1])+len(p) > maxBuffered {
			f.missed, f.line = true, [2][]byte{}
			return
		}
		f.line[to] = append(f.line[to], p...)
		return
	}
	f.streams = true
	for to, kept := range f.line {
		r.led.stream(stream(to), kept)
	}
	f.line = [2][]byte{}
	r.led.stream(to, p)
}

// flowEnds prints what is left of an attempt's output, which with cut did not end by
// itself. It reports whether all of it was printed.
func (r *run) flowEnds(in *Instance, cut bool) bool {
	f := in.flow
	if f == nil {
		return false
	}
	for to, veil := range f.veil {
		if veil != nil {
			r.flows(in, f, stream(to), veil.End(nil, cut))
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.led.order != nil {
		return f.streams
	}
	for to, line := range f.line {
		if len(line) > 0 {
			r.led.stream(stream(to), tagged(r.led.tag(in), append(line, '\n')))
		}
	}
	f.line = [2][]byte{}
	return true
}

// tagged puts a tag in front of each of some lines.
func tagged(tag string, lines []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(lines) + 4*len(tag))
	(&tagger{w: &b, tag: tag}).Write(lines)
	return b.Bytes()
}
