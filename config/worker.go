package config

import (
	"time"

	"go.yaml.in/yaml/v3"
)

// Worker says how the worker processes of tasks are started.
type Worker struct {
	Pos          Pos
	Command      []string      // argv, relative to the file's folder; empty: the stock worker
	StartTimeout time.Duration // from start to handshake; never 0

	Init        *Init         // what a worker runs first; nil: nothing
	MaxJobs     int           // after which a worker is replaced; 0: never
	MaxAge      time.Duration // the same by age
	MaxMemory   int64         // the same by resident bytes after a job
	IdleTimeout time.Duration // for how long a worker without work stays; 0: for ever
	Spares      int           // workers kept ready beside those with slots
	Threads     int           // jobs at a time; never 0
	StuckAfter  time.Duration // without an answer to heartbeats; never 0

	// What holds for each attempt in it where its job does not say; see Job.
	Limits           *Limits // nil: none
	Isolation        string  // "": not said
	RequireIsolation *bool   // nil: not said
}

// Init is the task that prepares a worker.
type Init struct {
	Pos  Pos
	Task string
	Args Value // never expanded; null: none
}

// MaxThreads is how many jobs one worker can run at a time, as package pool has it.
const MaxThreads = 64

// StuckAfter is how long a worker may not answer heartbeats before it is killed
// when the file does not say.
const StuckAfter = 60 * time.Second

// StartTimeout is how long a worker may take from its start to its handshake
// when the file does not say.
const StartTimeout = 60 * time.Second

var workerKeys = newKeyset("in worker",
	key[*Worker]{name: "command", read: func(c *checker, n *yaml.Node, w *Worker) { w.Command = c.command(n, "command") }},
	key[*Worker]{name: "start_timeout", read: func(c *checker, n *yaml.Node, w *Worker) {
		if d, ok := c.duration(n, "start_timeout", 1); ok {
			w.StartTimeout = d
		}
	}},
	key[*Worker]{name: "init", read: readInit},
	key[*Worker]{name: "max_jobs", read: func(c *checker, n *yaml.Node, w *Worker) { w.MaxJobs, _ = c.positive(n, "max_jobs") }},
	key[*Worker]{name: "max_age", read: func(c *checker, n *yaml.Node, w *Worker) { w.MaxAge, _ = c.duration(n, "max_age", 1) }},
	key[*Worker]{name: "max_memory", read: func(c *checker, n *yaml.Node, w *Worker) { w.MaxMemory = c.size(n, "max_memory") }},
	key[*Worker]{name: "idle_timeout", read: func(c *checker, n *yaml.Node, w *Worker) { w.IdleTimeout, _ = c.duration(n, "idle_timeout", 1) }},
	key[*Worker]{name: "spares", read: func(c *checker, n *yaml.Node, w *Worker) {
		spares, _ := c.integer(n, "spares", 0, maxCount)
		w.Spares = int(spares)
	}},
	key[*Worker]{name: "threads", read: func(c *checker, n *yaml.Node, w *Worker) {
		if threads, ok := c.integer(n, "threads", 1, MaxThreads); ok {
			w.Threads = int(threads)
		}
	}},
	key[*Worker]{name: "stuck_after", read: func(c *checker, n *yaml.Node, w *Worker) {
		if d, ok := c.duration(n, "stuck_after", 1); ok {
			w.StuckAfter = d
		}
	}},
	key[*Worker]{name: "limits", read: func(c *checker, n *yaml.Node, w *Worker) { w.Limits = c.limits(n) }},
	key[*Worker]{name: "isolation", read: func(c *checker, n *yaml.Node, w *Worker) { c.isolation(n, &w.Isolation) }},
	key[*Worker]{name: "require_isolation", read: func(c *checker, n *yaml.Node, w *Worker) { c.requireIsolation(n, &w.RequireIsolation) }},
)

// worker reads an argv or a map.
func (c *checker) worker(n *yaml.Node) *Worker {
	if c.bad[n] {
		return nil
	}
	w := &Worker{Pos: posOf(n), StartTimeout: StartTimeout, Threads: 1, StuckAfter: StuckAfter}
	switch n.Kind {
	case yaml.SequenceNode:
		w.Command = c.command(n, "worker")
	case yaml.MappingNode:
		workerKeys.read(c, n, "worker", w)
		if k := keyNode(n, "threads"); k != nil && w.Threads > 1 && w.Limits.Any() {
			c.failNode(k, "", "threads must be 1 with limits: what each of %d jobs in one process uses cannot be told apart", w.Threads)
		}
	default:
		c.wrong(n, "write [program, argument]", "worker", "a list or a map")
		return nil
	}
	return w
}

// command reads an argv in which no templates are expanded: workers are shared
// by instances.
func (c *checker) command(n *yaml.Node, what string) []string {
	items, ok := c.list(n, what, false)
	if !ok {
		return nil
	}
	argv := make([]string, 0, len(items))
	for i, e := range items {
		if i == 0 {
			if s, ok := c.fixed(e, what+": the program"); ok {
				argv = append(argv, s)
			}
			continue
		}
		s, ok := c.text(e, what+": an argument")
		if ok && hasRoot(s) {
			c.failNode(e, "a worker serves many instances", "templates are not expanded in %s", what)
			continue
		}
		argv = append(argv, s)
	}
	return argv
}

var initKeys = newKeyset("in init",
	key[*Init]{name: "task", read: func(c *checker, n *yaml.Node, i *Init) { i.Task = c.taskName(n) }},
	key[*Init]{name: "args", read: func(c *checker, n *yaml.Node, i *Init) {
		c.noRoots(n, "init")
		i.Args, _ = c.value(n)
	}},
)

func readInit(c *checker, n *yaml.Node, w *Worker) {
	w.Init = &Init{Pos: posOf(n)}
	if set, ok := initKeys.read(c, n, "init", w.Init); ok && !initKeys.has(set, "task") {
		c.failNode(n, "", "init has no task")
	}
}

// noRoots refuses texts that were meant as templates, which what belongs to a
// worker cannot be.
func (c *checker) noRoots(n *yaml.Node, what string) {
	if n.Kind == yaml.ScalarNode && hasRoot(n.Value) {
		c.failBad(n, "a worker serves many instances", "templates are not expanded in %s", what)
	}
	for _, e := range n.Content {
		c.noRoots(e, what)
	}
}
