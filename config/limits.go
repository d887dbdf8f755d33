package config

import (
	"time"

	"go.yaml.in/yaml/v3"
)

// Limits bound what an attempt may use, with all processes that it starts. A zero
// field is no limit. An attempt that exceeds one is ended, with the outcome `limit`.
type Limits struct {
	Memory   int64         // resident bytes, all processes together
	CPU      time.Duration // CPU time, all processes together
	PIDs     int           // processes and threads
	Files    int           // open files of each process
	FileSize int64         // bytes of each file that is written
	Output   int64         // bytes of stdout and stderr together

	// BestEffort lets an attempt run where a limit cannot be enforced, which is an
	// error otherwise.
	BestEffort bool

	said bool // the file has best_effort
}

// Any reports whether there is a limit at all. l may be nil.
func (l *Limits) Any() bool {
	return l != nil && (l.Memory > 0 || l.CPU > 0 || l.PIDs > 0 || l.Files > 0 || l.FileSize > 0 || l.Output > 0)
}

// mergeLimits lays over on top of base by key. It changes neither; both may be nil.
func mergeLimits(base, over *Limits) *Limits {
	switch {
	case over == nil:
		return base
	case base == nil:
		return over
	}
	l := *base
	lay(&l.Memory, over.Memory)
	lay(&l.CPU, over.CPU)
	lay(&l.PIDs, over.PIDs)
	lay(&l.Files, over.Files)
	lay(&l.FileSize, over.FileSize)
	lay(&l.Output, over.Output)
	if over.said {
		l.BestEffort, l.said = over.BestEffort, true
	}
	return &l
}

func lay[T int | int64 | time.Duration](base *T, over T) {
	if over > 0 {
		*base = over
	}
}

var limitKeys = newKeyset("in limits",
	key[*Limits]{name: "memory", read: func(c *checker, n *yaml.Node, l *Limits) { l.Memory = c.size(n, "memory") }},
	key[*Limits]{name: "cpu", read: func(c *checker, n *yaml.Node, l *Limits) { l.CPU, _ = c.duration(n, "cpu", 1) }},
	key[*Limits]{name: "pids", read: func(c *checker, n *yaml.Node, l *Limits) { l.PIDs, _ = c.positive(n, "pids") }},
	key[*Limits]{name: "files", read: func(c *checker, n *yaml.Node, l *Limits) { l.Files, _ = c.positive(n, "files") }},
	key[*Limits]{name: "file_size", read: func(c *checker, n *yaml.Node, l *Limits) { l.FileSize = c.size(n, "file_size") }},
	key[*Limits]{name: "output", read: func(c *checker, n *yaml.Node, l *Limits) { l.Output = c.size(n, "output") }},
	key[*Limits]{name: "best_effort", read: func(c *checker, n *yaml.Node, l *Limits) {
		l.BestEffort, l.said = c.boolean(n, "best_effort")
	}},
)

func (c *checker) limits(n *yaml.Node) *Limits {
	l := &Limits{}
	limitKeys.read(c, n, "limits", l)
	return l
}
