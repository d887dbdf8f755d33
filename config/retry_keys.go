package config

import (
	"go.yaml.in/yaml/v3"
)

// maxRetries bounds the attempts of one instance.
const maxRetries = 1000

var retryKeys = newKeyset("in retry",
	key[*Retry]{name: "max", read: func(c *checker, n *yaml.Node, r *Retry) { r.Max = c.retries(n) }},
	key[*Retry]{name: "causes", read: readCauses},
	key[*Retry]{name: "backoff", read: func(c *checker, n *yaml.Node, r *Retry) { r.Backoff, _ = c.duration(n, "backoff", 0) }},
	key[*Retry]{name: "factor", read: func(c *checker, n *yaml.Node, r *Retry) { r.Factor, _ = c.number(n, "factor", 1, 1000) }},
	key[*Retry]{name: "max_backoff", read: func(c *checker, n *yaml.Node, r *Retry) { r.MaxBackoff, _ = c.duration(n, "max_backoff", 0) }},
	key[*Retry]{name: "jitter", read: func(c *checker, n *yaml.Node, r *Retry) { r.Jitter, _ = c.number(n, "jitter", 0, 1) }},
)

// retry reads a number of further attempts, or a map.
func (c *checker) retry(n *yaml.Node) Retry {
	r := DefaultRetry(0)
	switch {
	case c.bad[n]:
	case n.Kind == yaml.MappingNode:
		if set, ok := retryKeys.read(c, n, "retry", &r); ok && !retryKeys.has(set, "max") {
			c.failNode(n, "", "retry has no max")
		}
	case n.Kind == yaml.SequenceNode:
		c.wrong(n, "", "retry", "a number or a map")
	default:
		r.Max = c.retries(n)
	}
	return r
}

func (c *checker) retries(n *yaml.Node) int {
	i, _ := c.integer(n, "retry", 0, maxRetries)
	return int(i)
}

func readCauses(c *checker, n *yaml.Node, r *Retry) {
	items, ok := c.list(n, "causes", false)
	if !ok {
		return
	}
	r.Causes = nil
	for _, e := range items {
		s, ok := c.fixed(e, "a cause")
		if !ok {
			continue
		}
		cause, err := parseCause(s)
		if err != nil {
			c.failNode(e, "", "%s", err)
			continue
		}
		r.Causes = append(r.Causes, cause)
	}
}
