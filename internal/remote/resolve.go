package remote

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/ipc"
)

// The tables of this process, by the upper half of their objects' numbers. It is
// read by every operation, and copied when it changes.
//
// The halves count up from a random number, so that they are not those of another
// process, and that one of a table which is gone is known to have been here.
var tables struct {
	sync.Mutex
	byHome atomic.Pointer[map[uint32]Table]
	made   atomic.Uint32
}

var firstHome = 1 + rand.Uint32N(1<<30)

// wasHere reports whether an object is or was one of this process.
func wasHere(id uint64) bool { return homeOf(id)-firstHome < tables.made.Load() }

// Register makes the objects of a table known in this process. Their numbers have
// to begin with what it returns, which no other table has.
func Register(t Table) (home uint64) {
	tables.Lock()
	defer tables.Unlock()
	next := map[uint32]Table{}
	if old := tables.byHome.Load(); old != nil {
		for k, v := range *old {
			next[k] = v
		}
	}
	n := firstHome + tables.made.Add(1) - 1
	next[n] = t
	tables.byHome.Store(&next)
	return uint64(n) << 32
}

// registered returns the upper half of the numbers of a table's objects, 0 if the
// table is not registered.
func registered(t Table) uint32 {
	if all := tables.byHome.Load(); all != nil && t != nil {
		for home, other := range *all {
			if other == t {
				return home
			}
		}
	}
	return 0
}

// homeOf is the upper half of an object's number.
func homeOf(id uint64) uint32 { return uint32(id >> 32) }

// Unregister undoes Register.
func Unregister(home uint64) {
	tables.Lock()
	defer tables.Unlock()
	next := map[uint32]Table{}
	for k, v := range *tables.byHome.Load() {
		if k != homeOf(home) {
			next[k] = v
		}
	}
	tables.byHome.Store(&next)
}

// ofProcess is the client of the link that this process, a worker, serves.
var ofProcess atomic.Pointer[Client]

// SetProcess makes c what is used by contexts that have no client.
func SetProcess(c *Client) { ofProcess.Store(c) }

// clientOf finds the way to the supervisor.
func clientOf(ctx context.Context) (*Client, error) {
	if c, ok := ctx.Value(ipc.CallerKey{}).(*Client); ok {
		return c, nil
	}
	if c := ofProcess.Load(); c != nil {
		return c, nil
	}
	return nil, broker.ErrNoManager
}

// here returns the object of id if it is one of this process. found is nil if it
// is not, and err is set if it was.
func here[T any](id uint64) (obj T, ok bool, err error) {
	all := tables.byHome.Load()
	if all == nil {
		return obj, false, nil
	}
	t := (*all)[homeOf(id)]
	if t == nil {
		if wasHere(id) {
			return obj, false, broker.ErrRemoved
		}
		return obj, false, nil
	}
	found, ok := t.Object(id)
	if !ok {
		return obj, false, broker.ErrRemoved
	}
	if obj, ok = found.(T); !ok {
		return obj, false, broker.ErrMismatch
	}
	return obj, true, nil
}

// Open finds an object by its name, or makes it, where the supervisor has its
// objects. It blocks for a round trip.
func Open(ctx context.Context, r *OpenRequest) (Ref, error) {
	c, err := clientOf(ctx)
	if err != nil {
		return Ref{}, err
	}
	k, err := c.begin(ctx)
	if err != nil {
		return Ref{}, err
	}
	b := appendArray(k.out, 7)
	b = appendText(b, r.Kind)
	b = appendText(b, r.Name)
	b = appendText(b, r.Type)
	b = appendInt(b, r.Size)
	b = appendBool(b, r.Sized)
	b = appendText(b, r.PeerKind)
	b = appendArray(b, len(r.Values))
	for _, v := range r.Values {
		b = appendBin(b, v)
	}
	k.out = b
	if err := c.roundTrip(ctx, k, opOpen); err != nil {
		return Ref{}, err
	}
	ref := k.in.ref()
	return ref, c.end(k)
}
