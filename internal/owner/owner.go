package owner

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// Identity says who an owner is, for people.
type Identity struct {
	Name string // such as "Thread-1", "main" or "job resize#12"
	PID  int    // of its process; 0 = not known
	Job  string // label of the job that it is, "" if it is none
}

func (i Identity) String() string {
	if i.PID == 0 {
		return i.Name
	}
	return fmt.Sprintf("%s (pid %d)", i.Name, i.PID)
}

// Party is what has something of an owner: an object that it holds, or a wait.
type Party interface {
	// OwnerEnded takes back what the owner has here. It is called once, with no
	// lock of this package held, for a party that the owner has entered more often
	// than left. It does not block.
	OwnerEnded(o *Owner)
}

// Owner is one flow of control that can hold things. Its methods may be called by
// many goroutines at once; a nil *Owner is nobody, and only Enter, Leave, Wait and
// Unwait may be called on it: they do nothing.
type Owner struct {
	id  uint64
	who Identity

	mu      sync.Mutex
	ended   bool
	cause   error
	parties []entry // few, and the last one in is mostly the first one out

	waits []Resource // guarded by graph
}

type entry struct {
	party Party
	n     int
}

var made atomic.Uint64

// New makes an owner.
func New(who Identity) *Owner { return &Owner{id: made.Add(1), who: who} }

// ID is a number that no other owner of this process has.
func (o *Owner) ID() uint64 { return o.id }

// Identity says who it is.
func (o *Owner) Identity() Identity { return o.who }

// Enter notes that p has something of o. It reports false, and does nothing, when
// o has ended: p must not give it anything then.
func (o *Owner) Enter(p Party) bool {
	if o == nil {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return false
	}
	for i := len(o.parties) - 1; i >= 0; i-- {
		if o.parties[i].party == p {
			o.parties[i].n++
			return true
		}
	}
	o.parties = append(o.parties, entry{p, 1})
	return true
}

// Leave undoes one Enter. After the owner's end it does nothing.
func (o *Owner) Leave(p Party) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := len(o.parties) - 1; i >= 0; i-- {
		if e := &o.parties[i]; e.party == p {
			if e.n--; e.n == 0 {
				last := len(o.parties) - 1
				copy(o.parties[i:], o.parties[i+1:])
				o.parties[last] = entry{}
				o.parties = o.parties[:last]
			}
			return
		}
	}
}

// End is the end of the owner: cause says how, nil being a plain return. Every
// party takes back what it has, waits first, in the order in which they were
// entered last to first. The first call counts, and returns when all is done; so
// do later ones.
func (o *Owner) End(cause error) {
	o.mu.Lock()
	if o.ended {
		o.mu.Unlock()
		return
	}
	o.ended, o.cause = true, cause
	parties := o.parties
	o.parties = nil
	o.mu.Unlock()
	for i := len(parties) - 1; i >= 0; i-- {
		parties[i].party.OwnerEnded(o)
	}
}

// Ended reports whether End was called.
func (o *Owner) Ended() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended
}

// Abandoned says who has left something behind at its end.
func (o *Owner) Abandoned() *Abandoned {
	o.mu.Lock()
	defer o.mu.Unlock()
	return &Abandoned{Identity: o.who, Cause: o.cause}
}

// Abandoned is what is told to the next one who gets what an owner has left
// behind.
type Abandoned struct {
	Identity
	Cause error // how the owner ended; nil = it returned
}

// Key is what a context answers with its owner. It is exported for contexts that
// make their owner only when it is asked for.
type Key struct{}

// With returns a context whose owner is o.
func With(ctx context.Context, o *Owner) context.Context {
	return context.WithValue(ctx, Key{}, o)
}

// From returns the owner of a context, nil if it has none.
func From(ctx context.Context) *Owner {
	o, _ := ctx.Value(Key{}).(*Owner)
	return o
}
