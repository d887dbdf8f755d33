package ipc

// Assembler puts chunked payloads together. A side sends one at a time, so that
// at most one is half there; its memory grows with what has arrived. The zero
// value is ready, with a cap of MaxMessage bytes.
type Assembler struct {
	Max  uint64 // cap on one payload in bytes; 0 = MaxMessage
	msg  Message
	buf  []byte
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
	a.buf = make([]byte, 0, min(m.Size, 2*MaxInline))
	a.open = true
	return nil
}

// Add takes a data frame. It returns the message, with its whole payload as
// Body, when this was the last chunk of it, and nil before.
func (a *Assembler) Add(m *Message) (*Message, error) {
	switch {
	case !a.open || m.ID != a.msg.ID:
		return nil, violation(KindData, "chunk for id %d, which is not open", m.ID)
	case uint64(len(a.buf))+uint64(len(m.Body)) > a.msg.Size:
		return nil, violation(KindData, "more than the %d bytes that were announced", a.msg.Size)
	}
	if need := len(a.buf) + len(m.Body); need > cap(a.buf) {
		grown := make([]byte, len(a.buf), min(uint64(2*cap(a.buf)+len(m.Body)), a.msg.Size))
		copy(grown, a.buf)
		a.buf = grown
	}
	a.buf = append(a.buf, m.Body...)
	if uint64(len(a.buf)) < a.msg.Size {
		return nil, nil
	}
	done := a.msg
	done.Body = a.buf
	a.msg, a.buf, a.open = Message{}, nil, false
	return &done, nil
}

// Open returns the message that is half there, nil if none is.
func (a *Assembler) Open() *Message {
	if !a.open {
		return nil
	}
	return &a.msg
}
