package config

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// tree refuses what a job file never holds, wherever it stands, and marks the
// nodes concerned so that no second error follows from the first.
func (c *checker) tree(root *yaml.Node) {
	type entry struct {
		n     *yaml.Node
		depth int
	}
	stack := []entry{{root, 1}}
	for len(stack) > 0 {
		e := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := e.n
		if n.Kind == yaml.AliasNode {
			c.failBad(n, "write the value out, or quote a text that starts with *", "aliases are not supported")
			continue
		}
		if n.Anchor != "" {
			c.failBad(n, "quote a text that starts with &", "anchors are not supported")
		}
		if n.Style&yaml.TaggedStyle != 0 && (n.Tag != "!!str" || n.Kind != yaml.ScalarNode) {
			c.failBad(n, "quote a text that starts with !", "the tag %s is not supported", n.Tag)
		}
		switch n.Kind {
		case yaml.ScalarNode:
			c.scalar(n)
			continue
		case yaml.MappingNode:
			if !c.keys(n) {
				continue
			}
		}
		if e.depth > maxDepth {
			c.failBad(n, "", "nested deeper than %d levels", maxDepth)
			continue
		}
		for i := len(n.Content) - 1; i >= 0; i-- {
			if n.Kind == yaml.MappingNode && i%2 == 0 {
				continue
			}
			stack = append(stack, entry{n.Content[i], e.depth + 1})
		}
	}
}

func (c *checker) scalar(n *yaml.Node) {
	if !plain(n) {
		return
	}
	_, reason := resolve(n.Value)
	if reason == "" {
		return
	}
	hint := "quote it for a text"
	switch {
	case strings.HasSuffix(reason, "leading zero"):
		sign := strings.TrimRight(n.Value[:1], "0123456789")
		digits := strings.TrimLeft(strings.TrimLeft(n.Value, "+-"), "0")
		if digits == "" || digits[0] < '1' || digits[0] > '9' {
			digits = "0" + digits
		}
		hint = "write " + sign + digits + ", or quote it for a text"
	case strings.HasSuffix(reason, "underscores in a number"):
		hint = "write " + strings.ReplaceAll(n.Value, "_", "") + ", or quote it for a text"
	}
	c.failBad(n, hint, "%s", reason)
}

// keys checks the keys of a mapping. It reports false where the mapping is none
// that anything can be read from.
func (c *checker) keys(n *yaml.Node) bool {
	var seen map[string]int
	if len(n.Content) > 16 {
		seen = make(map[string]int, len(n.Content)/2)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case k.Kind == yaml.MappingNode && k.Style&yaml.FlowStyle != 0:
			c.failBad(n, "quote it: "+strconv.Quote("{{"+templateInside(k)+"}}"), "YAML takes {{ for a map")
			return false
		case k.Kind == yaml.AliasNode || k.Anchor != "":
			c.failBad(k, "", "aliases and anchors are not supported")
			continue
		case k.Kind != yaml.ScalarNode:
			c.failBad(k, "", "a key must be a text")
			continue
		case k.Style&yaml.TaggedStyle != 0:
			c.failBad(k, "", "tags are not supported")
			continue
		case k.Value == "<<" && plain(k):
			c.failBad(k, "defaults holds what jobs share", "merge keys are not supported")
			continue
		}
		first := -1
		if seen == nil {
			for p := 0; p < i; p += 2 {
				if o := n.Content[p]; o.Kind == yaml.ScalarNode && o.Value == k.Value {
					first = o.Line
					break
				}
			}
		} else if line, ok := seen[k.Value]; ok {
			first = line
		} else {
			seen[k.Value] = k.Line
		}
		if first >= 0 {
			c.failBad(k, "", "key %s repeated, first in line %d", quote(k.Value), first)
		}
	}
	return true
}

// templateInside gives what stood between the braces that YAML took for maps.
func templateInside(k *yaml.Node) string {
	if len(k.Content) > 0 && k.Content[0].Kind == yaml.ScalarNode {
		return strings.TrimSpace(clip(k.Content[0].Value))
	}
	return "…"
}

// plain reports whether a scalar was written without quotes, so that YAML gives
// it a type.
func plain(n *yaml.Node) bool {
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle | yaml.TaggedStyle
	return n.Style&quoted == 0
}

// quote shows a foreign text in a message: escaped, and not without end.
func quote(s string) string { return strconv.Quote(clip(s)) }

func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
