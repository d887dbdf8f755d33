package thread

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/feac4032/multiproc/internal/owner"
)

// scope is the context of a thread's function.
type scope struct {
	context.Context
	t *Thread
}

// currentKey finds the thread in contexts derived from its own.
type currentKey struct{}

func (s *scope) Value(key any) any {
	switch key.(type) {
	case currentKey:
		return s.t
	case owner.Key:
		return s.t.own
	}
	return s.Context.Value(key)
}

// Current returns the thread in whose function ctx, or a context that it was
// derived from, was received; nil in any other context. current_thread in
// Python.
func Current(ctx context.Context) *Thread {
	t, _ := ctx.Value(currentKey{}).(*Thread)
	return t
}

// alive holds the threads that run, with their place in the order in which they
// were started.
var alive = struct {
	sync.Mutex
	started uint64
	threads map[*Thread]uint64
}{threads: map[*Thread]uint64{}}

func enter(t *Thread) {
	alive.Lock()
	alive.started++
	alive.threads[t] = alive.started
	alive.Unlock()
}

func leave(t *Thread) {
	alive.Lock()
	delete(alive.threads, t)
	alive.Unlock()
}

// Running lists the threads that were started and have not ended, daemons
// included, in the order in which they were started. enumerate in Python, which
// has the main thread in it too.
func Running() []*Thread {
	alive.Lock()
	defer alive.Unlock()
	return slices.SortedFunc(maps.Keys(alive.threads), func(a, b *Thread) int {
		return cmp.Compare(alive.threads[a], alive.threads[b])
	})
}
