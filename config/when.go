package config

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// When says what must have become of a job's needs for it to run.
type When uint8

// The conditions of when.
const (
	WhenOK     When = iota // all were ok, or let it pass
	WhenFailed             // one was not ok
	WhenAlways             // they have ended
)

var whenNames = [...]string{"ok", "failed", "always"}

// String gives the condition as in the file.
func (w When) String() string { return whenNames[w] }

func readWhen(c *checker, n *yaml.Node, d *draft) {
	if s, ok := c.oneOf(n, "when", whenNames[:]...); ok {
		d.When = When(slices.Index(whenNames[:], s))
	}
}

// fitWhen refuses a condition that cannot come true. Defaults may hold it for
// other jobs.
func (c *checker) fitWhen(n *yaml.Node, d *draft) {
	if d.When != WhenFailed || d.Foreach.feeds() || len(d.needs) > 0 {
		return
	}
	k := keyNode(n, "when")
	if k == nil {
		d.When = WhenOK
		return
	}
	c.failNode(k, "", "when: failed wants a job that can fail: needs is missing")
}
