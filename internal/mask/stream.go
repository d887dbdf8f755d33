package mask

// Stream masks a text that comes in pieces. It is for one goroutine at a time.
//
// Every byte that is part of a value is hidden, also where values overlap, and
// values that touch each other become one [Shown]: what is left of one value tells
// nothing of another.
type Stream struct {
	m    *Masker
	at   int32  // the node that the text so far ends with
	held []byte // that end, which may yet become a value; from is where it begins
	from int
	hide []span // what is to be hidden of it, in order, apart from each other
	shut bool   // what came out last is a Shown
	hid  bool
}

// span is a stretch of held.
type span struct{ from, to int }

// Stream makes one; nil for a nil Masker.
func (m *Masker) Stream() *Stream {
	if m == nil {
		return nil
	}
	return &Stream{m: m}
}

// Append takes p and appends to dst what can be told of the text by now. A nil Stream
// passes p on.
func (s *Stream) Append(dst, p []byte) []byte {
	if s == nil {
		return append(dst, p...)
	}
	for i := 0; i < len(p); i++ {
		if s.at == 0 {
			if n := s.m.skip(p[i:]); n > 0 {
				dst = append(dst, p[i:i+n]...)
				s.shut = false
				if i += n; i == len(p) {
					return dst
				}
			}
		}
		s.held = append(s.held, p[i])
		s.at = s.m.step(s.at, p[i])
		n := &s.m.nodes[s.at]
		if n.match > 0 {
			s.cover(span{len(s.held) - int(n.match), len(s.held)})
		}
		if to := len(s.held) - int(n.depth); to > s.from {
			dst = s.release(dst, to)
		}
	}
	return dst
}

// cover hides a span that ends where the text does.
func (s *Stream) cover(x span) {
	for n := len(s.hide); n > 0 && s.hide[n-1].to >= x.from; n-- {
		x.from = min(x.from, s.hide[n-1].from)
		s.hide = s.hide[:n-1]
	}
	s.hide = append(s.hide, x)
}

// release appends held up to a place.
func (s *Stream) release(dst []byte, to int) []byte {
	for s.from < to {
		if len(s.hide) == 0 || s.hide[0].from >= to {
			dst = append(dst, s.held[s.from:to]...)
			s.from, s.shut = to, false
			break
		}
		if x := s.hide[0]; x.from > s.from {
			dst = append(dst, s.held[s.from:x.from]...)
			s.from, s.shut = x.from, false
		}
		if !s.shut {
			dst = append(dst, Shown...)
			s.shut, s.hid = true, true
		}
		if x := s.hide[0]; x.to > to {
			s.from = to
		} else {
			s.from = x.to
			s.hide = append(s.hide[:0], s.hide[1:]...)
		}
	}
	switch n := s.from; {
	case n == len(s.held):
		s.held, s.hide, s.from = s.held[:0], s.hide[:0], 0
	case n > 4096 && n > len(s.held)/2:
		s.held = s.held[:copy(s.held, s.held[n:])]
		for i := range s.hide {
			s.hide[i].from -= n
			s.hide[i].to -= n
		}
		s.from = 0
	}
	return dst
}

// Hid reports whether anything was hidden since the Stream was made.
func (s *Stream) Hid() bool { return s != nil && s.hid }

// End appends what was held back, and the Stream may be used for another text. With
// cut the text ended against the will of who wrote it: if it ends with half a value or
// more, that is hidden like a whole one.
func (s *Stream) End(dst []byte, cut bool) []byte {
	if s == nil {
		return dst
	}
	if n := &s.m.nodes[s.at]; cut && n.depth >= MinLen && 2*n.depth >= n.least {
		s.cover(span{len(s.held) - int(n.depth), len(s.held)})
	}
	dst = s.release(dst, len(s.held))
	s.at, s.shut = 0, false
	return dst
}
