package process

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// children holds the processes that run, with their place in the order in which
// they were started.
var children = struct {
	sync.Mutex
	started   uint64
	processes map[*Process]uint64
}{processes: map[*Process]uint64{}}

func enter(p *Process) {
	children.Lock()
	children.started++
	children.processes[p] = children.started
	children.Unlock()
}

func leave(p *Process) {
	children.Lock()
	delete(children.processes, p)
	children.Unlock()
}

// Children lists the processes of this package that were started and have not
// ended, daemons and commands included, in the order in which they were started.
// active_children in Python.
func Children() []*Process {
	children.Lock()
	defer children.Unlock()
	return slices.SortedFunc(maps.Keys(children.processes), func(a, b *Process) int {
		return cmp.Compare(children.processes[a], children.processes[b])
	})
}
