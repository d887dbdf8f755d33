package config

import (
	"regexp"

	"go.yaml.in/yaml/v3"
)

// The readers of this file check keys that are part of the language but that
// this version cannot honour; the keysets refuse them afterwards.

func readResources(c *checker, n *yaml.Node, t *top) {
	es, ok := c.entries(n, "resources")
	if !ok {
		return
	}
	seen := make(names, len(es))
	for _, e := range es {
		if !c.addName(seen, e.key, "resource", "USES") {
			continue
		}
		if e.value.Kind != yaml.SequenceNode {
			c.positive(e.value, "resource "+clip(e.name))
			continue
		}
		ids, _ := c.list(e.value, "resource "+clip(e.name), false)
		for _, id := range ids {
			c.fixed(id, "an id of resource "+clip(e.name))
		}
	}
}

func readUses(c *checker, n *yaml.Node, _ *draft) {
	es, ok := c.entries(n, "uses")
	if !ok {
		return
	}
	for _, e := range es {
		if e.name == "memory" {
			c.size(e.value, "uses memory")
			continue
		}
		c.positive(e.value, "uses "+clip(e.name))
	}
}

func readChunk(c *checker, n *yaml.Node, _ *draft) {
	if n.Kind == yaml.ScalarNode && n.Value == "auto" {
		return
	}
	if n.Kind == yaml.ScalarNode && scalarValue(n).typ == Text && !c.bad[n] {
		c.failNode(n, "", "chunk is a number of items or auto, not %s", quote(n.Value))
		return
	}
	c.positive(n, "chunk")
}

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

var rateForm = regexp.MustCompile(`^[1-9][0-9]{0,8}/(s|m|h)$`)

func readRate(c *checker, n *yaml.Node, _ *draft) {
	if s, ok := c.text(n, "rate"); ok && !rateForm.MatchString(s) {
		c.failNode(n, "", "rate is a number of starts in a second, minute or hour, like 10/s, 90/m or 5/h, not %s", quote(s))
	}
}

// stdoutFile is the map of `stdout` while it is checked.
type stdoutFile struct{}

var stdoutKeys = newKeyset("in stdout",
	key[*stdoutFile]{name: "file", read: func(c *checker, n *yaml.Node, _ *stdoutFile) { c.path(n, "stdout: file") }},
)

func readStdout(c *checker, n *yaml.Node, _ *draft) {
	if set, ok := stdoutKeys.read(c, n, "stdout", &stdoutFile{}); ok && set == 0 {
		c.failNode(n, "", "stdout has no file")
	}
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
