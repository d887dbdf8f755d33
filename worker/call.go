package worker

import (
	"os"
	"sync"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
)

// callFrames are used again: the outbox copies what it is given.
var callFrames = sync.Pool{New: func() any { return new([]byte) }}

// SendCall sends a call of this process to the supervisor: it is the carrier of
// the link's client.
func (s *server) SendCall(id uint64, op string, payload []byte, now bool) error {
	frame := callFrames.Get().(*[]byte)
	err := s.sendCall(frame, id, op, payload)
	if cap(*frame) <= scratchMax {
		callFrames.Put(frame)
	}
	if err == nil && now {
		s.out.flush()
	}
	return err
}

func (s *server) sendCall(frame *[]byte, id uint64, op string, payload []byte) error {
	inline := len(payload) <= ipc.MaxInline
	if inline {
		if err := s.credit.take(len(payload), s); err != nil {
			return err
		}
	} else {
		s.chunking.Lock()
		defer s.chunking.Unlock()
	}
	*frame = ipc.AppendCall(append((*frame)[:0], 0, 0, 0, 0), id, op, payload)
	if err := s.out.put(sealed(*frame), nil, false); err != nil || inline {
		return err
	}
	return s.sendLong(id, payload, nil)
}

// sendLong sends a payload in two parts that was announced: in the arena as a
// whole, if there is room now, or in chunks. The caller holds chunking.
func (s *server) sendLong(id uint64, head, tail []byte) error {
	if s.shelf != nil && s.credit.tryTake(len(head)+len(tail)) {
		if s.shelve(id, head, tail) {
			return s.out.put(s.place, nil, false)
		}
		s.credit.add(uint64(len(head) + len(tail)))
	}
	if err := s.sendChunks(id, head); err != nil {
		return err
	}
	return s.sendChunks(id, tail)
}

// sendChunks sends a part of such a payload. The caller holds chunking.
func (s *server) sendChunks(id uint64, payload []byte) error {
	for len(payload) > 0 {
		n := min(len(payload), ipc.MaxInline)
		if err := s.credit.take(n, s); err != nil {
			return err
		}
		for n < len(payload) && n < ipc.MaxChunks*ipc.MaxInline {
			more := min(len(payload)-n, ipc.MaxInline)
			if !s.credit.tryTake(more) {
				break
			}
			n += more
		}
		var err error
		if s.shelve(id, payload[:n]) {
			if err = s.out.put(s.place, nil, false); err == nil {
				s.out.flush()
			}
		} else {
			err = s.out.putChunks(&s.chunks, id, payload[:n])
		}
		if err != nil {
			return err
		}
		payload = payload[n:]
	}
	return nil
}

// shelve copies parts into the arena, and makes the frame that says so. It reports
// false if there is no room. The caller holds chunking.
func (s *server) shelve(id uint64, parts ...[]byte) bool {
	frame, err := s.shelf.Put(append(s.place[:0], 0, 0, 0, 0), id, parts...)
	if err != nil {
		s.shelf = nil // the pipe is as good
	}
	s.place = sealed(frame)
	return len(frame) > frameHeader
}

// awaiting reports whether the supervisor is about to send something: a job to
// who has none, or a reply.
func (s *server) awaiting() bool {
	return s.client != nil && s.client.Waiting() || s.queue.idle()
}

// holder returns the job as an owner, which is made when somebody asks for it.
// That of a job whose function has returned has ended.
func (c *jobContext) holder() *owner.Owner {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owner == nil {
		who := c.identity()
		if c.released {
			c.owner = owner.New(who)
			c.owner.End(nil)
		} else {
			c.owner = c.srv.client.JobOwner(c.info.ID, who)
		}
	}
	return c.owner
}

// identity says who the job is as an owner.
func (c *jobContext) identity() owner.Identity {
	name := c.info.Name
	if name == "" {
		name = c.info.Task
	}
	return owner.Identity{Name: "job " + name, PID: os.Getpid(), Job: name}
}

// release ends the job as an owner: err is what its function has returned. What
// it holds in this process is given back here, what it holds elsewhere by the
// supervisor when it has the answer.
func (c *jobContext) release(err error) {
	c.mu.Lock()
	o := c.owner
	c.released = true
	c.mu.Unlock()
	if o != nil {
		o.End(err)
	}
}
