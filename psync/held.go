package psync

import (
	"context"
	"errors"
)

// Held is a lock or permit that was acquired. It belongs to the goroutine that
// acquired it. A copy of it is the same one: release only one of them, since the
// other does not know, and would release what may be somebody else's by then.
type Held struct {
	// Abandoned is nil if the lock or permit was given back by who had it before.
	// Else that owner has ended without giving it back: what the lock protects
	// may be half done.
	Abandoned *Abandoned

	ctx context.Context // of the acquiring, which carries the owner
	of  releaser        // nil = nothing is held, or no more
}

type releaser interface{ Release(context.Context) error }

// Release releases what is held, also when the context has ended meanwhile. It is
// made for defer: the first call counts, later ones do nothing, and so does that
// of a Held which came with an error.
func (h *Held) Release() error {
	of := h.of
	if of == nil {
		return nil
	}
	h.of = nil
	return of.Release(h.ctx)
}

// run calls f, and releases also if f panics.
func (h *Held) run(f func() error) (err error) {
	defer func() {
		switch e := h.Release(); {
		case err == nil:
			err = e
		case e != nil:
			err = errors.Join(err, e)
		}
	}()
	return f()
}

// hold acquires a lock of the backend; of is what releases it.
func (l *label) hold(ctx context.Context, b LockBackend, of releaser, wait bool) (Held, error) {
	op := acquiring(wait)
	if err := l.begin(ctx, op); err != nil {
		return Held{}, err
	}
	abandoned, err := b.Acquire(ctx, wait)
	if err != nil {
		return Held{}, l.failed(op, err)
	}
	return Held{Abandoned: abandoned, ctx: ctx, of: of}, nil
}

func acquiring(wait bool) string {
	if wait {
		return "acquire"
	}
	return "try acquire"
}
