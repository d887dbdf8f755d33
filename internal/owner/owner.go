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

// Party is what has something of an owner: an object that it holds, or a wait. It
// is told from others by ==, so it is a pointer.
type Party interface {
	// OwnerEnded takes back what the owner has here. It is called at most once, for
	// a party that the owner has entered, with no lock held by this package, and
	// must not block. A party that the owner is leaving at that moment may be told
	// too, and finds then that it has nothing.
	OwnerEnded(o *Owner)
}

// Owner is one flow of control that can hold things. Its methods may be called by
// many goroutines at once; a nil *Owner is nobody, and only Enter, Leave, Exchange,
// Wait, WaitAs, WaitAnyway and Unwait may be called on it: they do nothing.
//
// What an owner may call its own is decided under the lock of the object that it
// belongs to, and then by Enter: an object that was told "entered" will be told of
// the end, one that was told "ended" must give nothing. There is nothing between.
type Owner struct {
	id  uint64
	who Identity

	mu      sync.Mutex
	ended   bool
	cause   error
	parties parties

	waits []wait // guarded by graph
	seen  uint64 // the last search that came by; guarded by graph
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
	o.parties.add(p)
	return true
}

// Leave undoes one Enter. It reports false, and does nothing, when o has ended.
func (o *Owner) Leave(p Party) bool {
	if o == nil {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return false
	}
	o.parties.remove(p)
	return true
}

// Exchange leaves one party and enters another, as when a wait has become a hold.
// It reports false when o has ended: then the second was not entered.
func (o *Owner) Exchange(from, to Party) bool {
	if o == nil {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return false
	}
	o.parties.remove(from)
	o.parties.add(to)
	return true
}

// Parties returns what has something of o now, each party once, in the order in
// which they were entered. After the owner's end there are none.
func (o *Owner) Parties() []Party {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.parties.list()
}

// End is the end of the owner: cause says how, nil being a plain return. Every
// party takes back what it has, the last one entered first: so waits, of which one
// flow of control has at most one, come before what is held meanwhile. The first
// call counts, and returns when all is done; later ones do nothing.
func (o *Owner) End(cause error) {
	o.mu.Lock()
	if o.ended {
		o.mu.Unlock()
		return
	}
	o.ended, o.cause = true, cause
	parties := o.parties.list()
	o.parties.clear()
	o.mu.Unlock()
	for i := len(parties) - 1; i >= 0; i-- {
		parties[i].OwnerEnded(o)
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
