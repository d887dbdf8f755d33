package child

import (
	"errors"
	"os"
	"sync"
	"time"

	"github.com/feac4032/multiproc/ipc"
)

// source is the reading end of a link. A pipe has no end as long as somebody
// holds the other side of it, and a stray descendant of the worker may hold it
// for ever. So after the worker's death the stream ends where the pipe is empty:
// everything that the worker wrote is in it by then.
type source struct {
	ipc.Source
	scale func(time.Duration) time.Duration // of deadlines; nil = as they are

	mu   sync.Mutex // orders deadlines with abandon
	dead bool
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Source.Read(p)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && s.abandoned() {
		return readNow(s.Source, p)
	}
	return n, err
}

// SetReadDeadline does nothing once the source is abandoned: no read blocks then.
func (s *source) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return nil
	}
	if s.scale != nil && !t.IsZero() {
		now := time.Now()
		t = now.Add(s.scale(t.Sub(now)))
	}
	return s.Source.SetReadDeadline(t)
}

func (s *source) abandoned() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

// abandon is called when the worker has ended.
func (s *source) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
	if err := s.Source.SetReadDeadline(time.Unix(1, 0)); err != nil && !errors.Is(err, os.ErrClosed) {
		s.Source.Close() // a system whose pipes have no deadlines
	}
}
