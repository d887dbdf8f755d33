package ipc

// Assembler puts chunked payloads together. A side sends one at a time, so that
// at most one is half there; its memory grows with what has arrived, to at most
// four times that. The zero value is ready, with a cap of MaxMessage bytes.
type Assembler struct {
	Max  uint64 // cap on one payload in bytes; 0 = MaxMessage
	msg  Message
	buf  []byte
	past int // bytes of buf that came past Add, by a Reader, since Add was called
	open bool
}

// Begin takes a message whose payload follows. The byte slices in m are copied.
func (a *Assembler) Begin(m *Message) error {
	limit := a.Max
	if limit == 0 {
		limit = MaxMessage
	}
	switch {
	case a.open:
		return violation(m.Kind, "a payload begins before that of %s %d is complete", a.msg.Kind, a.msg.ID)
	case !m.Chunked():
		return violation(m.Kind, "no payload follows")
	case m.Size > limit:
		return violation(m.Kind, "payload of %d bytes, at most %d are allowed", m.Size, limit)
	}
	a.msg = *m
	a.msg.Name = append([]byte(nil), m.Name...)
	a.msg.Label = append([]byte(nil), m.Label...)
	a.msg.Key = append([]byte(nil), m.Key...)
	a.buf = Spare(m.Size)
	a.open = true
	return nil
}

// Add takes a data frame. It returns the message, with its whole payload as
// Body, when this was the last chunk of it, and nil before. m.Bytes becomes how
// many bytes the chunk had, those included that a Reader has put here already.
func (a *Assembler) Add(m *Message) (*Message, error) {
	switch {
	case !a.open || m.ID != a.msg.ID:
		return nil, violation(m.Kind, "chunk for id %d, which is not open", m.ID)
	case uint64(len(a.buf))+uint64(len(m.Body)) > a.msg.Size:
		return nil, violation(m.Kind, "more than the %d bytes that were announced", a.msg.Size)
	}
	a.room(len(m.Body))
	a.buf = Append(a.buf, m.Body)
	m.Bytes = uint64(len(m.Body) + a.past)
	a.past = 0
	if uint64(len(a.buf)) < a.msg.Size {
		return nil, nil
	}
	done := a.msg
	done.Body = a.buf
	a.msg, a.buf, a.open = Message{}, nil, false
	return &done, nil
}

// Fetch takes a place frame as Add takes a data frame: what stands in the tray is
// copied once, and may be written over from then on.
func (a *Assembler) Fetch(m *Message, from *Tray) (*Message, error) {
	p, err := from.bytes(m)
	if err != nil {
		return nil, err
	}
	if a.open && m.ID == a.msg.ID && a.buf == nil && m.Size == a.msg.Size {
		// Memory that is written over as a whole need not be zeroed.
		a.buf = append(a.buf, p...)
		a.past = len(p)
		p = nil
	}
	m.Body = p
	whole, err := a.Add(m)
	m.Body = nil
	from.free(m.Size)
	return whole, err
}

// growth is how many times what has arrived the buffer may be.
const growth = 4

// room makes place for n more bytes.
func (a *Assembler) room(n int) {
	if len(a.buf)+n <= cap(a.buf) {
		return
	}
	grown := make([]byte, len(a.buf), min(uint64(growth*(len(a.buf)+n)), a.msg.Size))
	copy(grown, a.buf)
	Recycle(a.buf)
	a.buf = grown
}

// free is the room there is.
func (a *Assembler) free() []byte { return a.buf[len(a.buf):cap(a.buf)] }

// took counts n bytes that were put into free.
func (a *Assembler) took(n int) int {
	a.buf = a.buf[:len(a.buf)+n]
	a.past += n
	return n
}

// Open returns the message that is half there, nil if none is.
func (a *Assembler) Open() *Message {
	if !a.open {
		return nil
	}
	return &a.msg
}
