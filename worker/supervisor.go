package worker

import "sync"

// supervised is what this process knows of its supervisor.
var supervised = struct {
	sync.Mutex
	name string
	gone chan struct{}
	over bool
}{gone: make(chan struct{})}

// Name returns the name that the supervisor has given to this process, such as
// "worker-3" or "Process-1"; "" in a process that is no worker.
func Name() string {
	supervised.Lock()
	defer supervised.Unlock()
	return supervised.name
}

// Gone returns a channel that is closed when the link to the supervisor has
// ended: mostly because the supervisor has. In a process that is no worker it is
// never closed.
func Gone() <-chan struct{} { return supervised.gone }

func nameSelf(name string) {
	supervised.Lock()
	defer supervised.Unlock()
	supervised.name = name
}

func endSupervision() {
	supervised.Lock()
	defer supervised.Unlock()
	if !supervised.over {
		supervised.over = true
		close(supervised.gone)
	}
}
