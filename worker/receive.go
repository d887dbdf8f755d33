package worker

import (
	"fmt"

	"github.com/feac4032/multiproc/ipc"
)

// receive reads frames until the link ends, and says why. It never waits for
// anything but the link.
func (s *server) receive() error {
	for {
		if err := s.readBatch(); err != nil {
			return err
		}
		if err := s.stepAside(); err != nil {
			return err
		}
	}
}

// readBatch takes what is there to read, and waits for it. One goroutine at a time
// may call it.
func (s *server) readBatch() error {
	if s.batch == nil {
		s.batch = s.queue.fresh()
	}
	b := s.batch
	body, err := s.reader.Next()
	for err == nil {
		if err = s.handle(body, b); err != nil || b.full() || s.stopped || !s.reader.Ready() {
			break
		}
		body, err = s.reader.Next()
	}
	if n := len(b.jobs); n > 0 {
		s.came(n, s.queue.idle())
		s.enqueue(b)
		s.batch = nil
	}
	if err != nil {
		return err // before the queue may run dry and end the worker in peace
	}
	if s.stopped {
		s.queue.close()
	}
	return nil
}

func (s *server) enqueue(b *batch) {
	s.rest.stir()
	if s.queue.add(b) {
		return
	}
	s.recall(b.waiting(nil)...)
}

// recall answers jobs that have not started and will not.
func (s *server) recall(jobs ...*job) {
	for _, j := range jobs {
		j.recalled = true
		s.control(ipc.AppendResult(make([]byte, frameHeader, 64), j.id, ipc.StatusRecalled, nil))
		s.grant(j.credit)
	}
}

func (s *server) control(frame []byte) { s.out.putNow(sealed(frame)) }

// handle does what one frame says; jobs are added to b.
func (s *server) handle(body []byte, b *batch) error {
	m := &s.msg
	if err := m.Parse(body); err != nil {
		return err
	}
	switch m.Kind {
	case ipc.KindJob:
		if s.stopped {
			return &ipc.ProtocolError{Kind: m.Kind, Reason: "a job after the stop frame"}
		}
		if !m.Chunked() {
			s.receiveJob(m, b, true)
			return nil
		}
		s.forsaken = false
		return s.assembler.Begin(m)
	case ipc.KindData, ipc.KindPlace:
		add := s.assembler.Add
		if m.Kind == ipc.KindPlace {
			add = s.fetch
		}
		whole, err := add(m)
		s.grant(m.Bytes)
		if err != nil || whole == nil {
			return err
		}
		if !s.forsaken {
			s.receiveJob(whole, b, false)
		}
	case ipc.KindReply:
		return s.client.Reply(m)
	case ipc.KindCredit:
		s.credit.add(m.Bytes)
	case ipc.KindCancel:
		s.cancel(m.ID, m.Interrupt, b)
	case ipc.KindPing:
		s.control(ipc.AppendPong(make([]byte, frameHeader, 32), m.ID))
	case ipc.KindStop:
		s.stopped = true
		if open := s.assembler.Open(); open != nil && !s.forsaken {
			return &ipc.ProtocolError{Kind: m.Kind, Reason: fmt.Sprintf("job %d is only half there", open.ID)}
		}
	default:
		return &ipc.ProtocolError{Kind: m.Kind, Reason: "not for a worker"}
	}
	return nil
}

// fetch takes a place frame.
func (s *server) fetch(m *ipc.Message) (*ipc.Message, error) {
	s.spread()
	return s.assembler.Fetch(m, s.tray)
}

func (s *server) receiveJob(m *ipc.Message, b *batch, copyPayload bool) {
	def, known := s.defs[string(m.Name)]
	name := ""
	if !known {
		name = string(m.Name)
		if def, known = s.lookup(name); known {
			s.defs[name] = def
		}
	}
	if known {
		name = def.Name()
	}
	b.add(m, def, name, copyPayload)
}

// cancel also looks where a job is that is not in the queue yet.
func (s *server) cancel(id uint64, interrupt bool, b *batch) {
	if open := s.assembler.Open(); open != nil && open.ID == id {
		if !s.forsaken {
			s.forsaken = true // its chunks will still come
			s.recall(&job{id: id})
		}
		return
	}
	if j := b.find(id); j != nil {
		s.recall(j)
	} else if j := s.queue.cancel(id, interrupt); j != nil {
		s.recall(j)
	}
}

// grant gives credit back to the supervisor for payload bytes that no longer
// wait, not for each job but for many.
func (s *server) grant(n uint64) {
	if n == 0 || s.granted.Add(n) < grantAt {
		return
	}
	if n := s.granted.Swap(0); n > 0 {
		s.control(ipc.AppendCredit(make([]byte, frameHeader, 32), n))
	}
}
