package remote

import (
	"context"
	"sync"

	"github.com/feac4032/multiproc/internal/broker"
)

// PipeEnd is one end of a pipe of messages.
type PipeEnd struct {
	ref  Ref
	hold sync.Once // the supervisor is told that this process has the end
}

// NewPipeEnd returns the proxy of the end that the reference names.
func NewPipeEnd(r Ref) *PipeEnd { return &PipeEnd{ref: r} }

// Ref is what travels in its place.
func (e *PipeEnd) Ref() Ref { return e.ref }

func (e *PipeEnd) here() (*broker.PipeEnd, bool, error) { return here[*broker.PipeEnd](e.ref.ID) }

// Hold notes that this process has received the end: if it ends before it has used
// it, the end is closed all the same. A process that has its objects itself, and
// one without a supervisor, holds nothing.
func (e *PipeEnd) Hold() {
	if _, ok, err := e.here(); ok || err != nil {
		return
	}
	if c := ofProcess.Load(); c != nil {
		// That it cannot be sent, its use will tell.
		_ = e.holdFor(c)
	}
}

func (e *PipeEnd) holdFor(c *Client) (err error) {
	e.hold.Do(func() {
		k := c.fresh()
		k.head(2, e.ref.ID, 0)
		err = c.Post(opPipeHold, k.out)
		c.recycle(k)
	})
	return err
}

// client finds the way to the supervisor, which learns that the end is held.
func (e *PipeEnd) client(ctx context.Context) (*Client, error) {
	c, err := clientOf(ctx)
	if err != nil {
		return nil, err
	}
	return c, e.holdFor(c)
}

// PutBatch sends messages.
func (e *PipeEnd) PutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	if obj, ok, err := e.here(); ok {
		return putHere(ctx, obj, msgs)
	} else if err != nil {
		return 0, err
	}
	c, err := e.client(ctx)
	if err != nil {
		return 0, err
	}
	for i, msg := range msgs {
		if err := c.post(ctx, e.ref.ID, opPipePut, true, msg); err != nil {
			return i, err
		}
	}
	return len(msgs), nil
}

// TryPutBatch is PutBatch without waiting for room.
func (e *PipeEnd) TryPutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	if obj, ok, err := e.here(); ok {
		return tryPutHere(ctx, obj, msgs)
	} else if err != nil {
		return 0, err
	}
	if _, err := e.client(ctx); err != nil {
		return 0, err
	}
	return tryPut(ctx, e.ref.ID, opPipePut, true, msgs)
}

// GetBatch waits for a message of the other end.
func (e *PipeEnd) GetBatch(ctx context.Context, dst [][]byte) (int, error) {
	if obj, ok, err := e.here(); ok {
		return getHere(ctx, obj, dst)
	} else if err != nil {
		return 0, err
	}
	if _, err := e.client(ctx); err != nil {
		return 0, err
	}
	return get(ctx, e.ref.ID, opPipeGet, true, dst)
}

// TryGetBatch is GetBatch without waiting.
func (e *PipeEnd) TryGetBatch(ctx context.Context, dst [][]byte) (int, error) {
	if obj, ok, err := e.here(); ok {
		return obj.TryGetBatch(dst)
	} else if err != nil {
		return 0, err
	}
	if _, err := e.client(ctx); err != nil {
		return 0, err
	}
	return tryGet(ctx, e.ref.ID, opPipeGet, dst)
}

// Close closes the end for all who have it.
func (e *PipeEnd) Close() error {
	if obj, ok, err := e.here(); ok {
		obj.Close()
		return nil
	} else if err != nil {
		return err
	}
	return perform(context.Background(), e.ref.ID, opPipeClose)
}
