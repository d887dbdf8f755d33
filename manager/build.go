package manager

import (
	"errors"
	"fmt"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/remote"
)

var errName = errors.New("not a name")

// build makes what a request asks for.
func build(r *remote.OpenRequest) (built, error) {
	b := built{ref: remote.Ref{Kind: r.Kind, Name: r.Name, Type: r.Type, Size: r.Size, PeerKind: r.PeerKind}}
	if int64(int(r.Size)) != r.Size {
		return b, fmt.Errorf("size %d: %w", r.Size, broker.ErrRange)
	}
	n := int(r.Size)
	var obj any
	var err error
	switch Kind(r.Kind) {
	case KindLock, KindRLock:
		b.ref.Size = 0
		obj = broker.NewLock(r.Name, r.Kind == remote.KindRLock)
	case KindSemaphore, KindBoundedSemaphore:
		obj, err = broker.NewSemaphore(r.Name, n, r.Kind == remote.KindBoundedSemaphore)
	case KindEvent:
		b.ref.Size = 0
		obj = broker.NewEvent(r.Name)
	case KindBarrier:
		obj, err = broker.NewBarrier(r.Name, n, nil)
	case KindCondition:
		b.ref.Size, b.ref.PeerKind = 0, remote.KindRLock
		l := broker.NewLock(r.Name, true)
		b.parts = []any{broker.NewCondition(r.Name, l), l}
		return b, nil
	case KindValue, KindNumber, KindArray:
		if len(r.Values) != n || n > remote.MaxCells {
			return b, fmt.Errorf("%d values for a size of %d: %w", len(r.Values), n, broker.ErrRange)
		}
		obj = broker.NewCells(r.Name, r.Values)
	case KindQueue, KindJoinable, KindSimple:
		b.ref.Size = max(r.Size, 0)
		obj = broker.NewQueue(r.Name, n)
	case KindPipe:
		b.ref.Size = 0
		x, y := broker.NewPipe(r.Name)
		b.parts = []any{x, y}
		return b, nil
	default:
		return b, fmt.Errorf("%w: there is no kind %q", broker.ErrMismatch, r.Kind)
	}
	b.parts = []any{obj}
	return b, err
}
