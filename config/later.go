package config

import "go.yaml.in/yaml/v3"

// The readers of this file check keys that are part of the language but that
// this version cannot honour; the keysets refuse them afterwards.

// limitSet is the map of `limits` while it is checked.
type limitSet struct{}

var limitKeys = newKeyset("in limits",
	key[*limitSet]{name: "memory", read: func(c *checker, n *yaml.Node, _ *limitSet) { c.size(n, "memory") }},
	key[*limitSet]{name: "cpu", read: func(c *checker, n *yaml.Node, _ *limitSet) { c.duration(n, "cpu", 1) }},
	key[*limitSet]{name: "pids", read: func(c *checker, n *yaml.Node, _ *limitSet) { c.positive(n, "pids") }},
	key[*limitSet]{name: "files", read: func(c *checker, n *yaml.Node, _ *limitSet) { c.positive(n, "files") }},
	key[*limitSet]{name: "file_size", read: func(c *checker, n *yaml.Node, _ *limitSet) { c.size(n, "file_size") }},
	key[*limitSet]{name: "output", read: func(c *checker, n *yaml.Node, _ *limitSet) { c.size(n, "output") }},
	key[*limitSet]{name: "best_effort", read: func(c *checker, n *yaml.Node, _ *limitSet) { c.boolean(n, "best_effort") }},
)

func (c *checker) limits(n *yaml.Node) { limitKeys.read(c, n, "limits", &limitSet{}) }

func (c *checker) isolation(n *yaml.Node, what string) {
	c.oneOf(n, what, "process", "namespaces", "sandbox")
}

func readSecrets(c *checker, n *yaml.Node, _ *draft) {
	items, ok := c.list(n, "secrets", false)
	if !ok {
		return
	}
	for _, e := range items {
		s, ok := c.fixed(e, "a name in secrets")
		if ok && !envName(s) {
			c.failNode(e, "", "secrets has %s, which is no name of a variable", quote(s))
		}
	}
}
