package config

import "go.yaml.in/yaml/v3"

// Levels of isolation that a file or a flag may ask for. Each one has all that the
// ones before it have.
const (
	IsolationProcess    = "process"    // a session and a process tree of its own
	IsolationNamespaces = "namespaces" // and namespaces
	IsolationSandbox    = "sandbox"    // and no way to what it was not given
)

func (c *checker) isolation(n *yaml.Node, into *string) {
	if level, ok := c.oneOf(n, "isolation", IsolationProcess, IsolationNamespaces, IsolationSandbox); ok {
		*into = level
	}
}

func (c *checker) requireIsolation(n *yaml.Node, into **bool) {
	if required, ok := c.boolean(n, "require_isolation"); ok {
		*into = &required
	}
}

// confine works out the limits and the isolation of a job, behind whose own those
// of its worker stand.
func (c *checker) confine(n *yaml.Node, d *draft) {
	j, limits, required := d.Job, d.Limits, d.required
	if w := j.Worker; w != nil {
		if limits.Any() && !w.Limits.Any() && w.Threads > 1 {
			at := n
			if k := keyNode(n, "limits"); k != nil {
				at = k
			}
			c.failNode(at, "threads: 1", "the job has limits, and its worker, in line %d, runs %d jobs at a time: what each of them uses cannot be told apart", w.Pos.Line, w.Threads)
		}
		limits = mergeLimits(w.Limits, limits)
		if j.Isolation == "" {
			j.Isolation = w.Isolation
		}
		if required == nil {
			required = w.RequireIsolation
		}
	}
	if !limits.Any() {
		limits = nil
	}
	j.Limits, j.RequireIsolation = limits, required != nil && *required
}
