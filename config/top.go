package config

import (
	"regexp"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// top is the file while its top level is read.
type top struct {
	*File
	defaults, jobs *yaml.Node
}

var topKeys = newKeyset("at the top of the file",
	key[*top]{name: "name", read: readName},
	key[*top]{name: "vars", read: readVars},
	key[*top]{name: "env", read: func(c *checker, n *yaml.Node, t *top) { t.Env = c.env(n) }},
	key[*top]{name: "inherit_env", read: func(c *checker, n *yaml.Node, t *top) { t.InheritEnv = c.inheritEnv(n) }},
	key[*top]{name: "workers", read: func(c *checker, n *yaml.Node, t *top) { t.Workers, _ = c.positive(n, "workers") }},
	key[*top]{name: "worker", read: func(c *checker, n *yaml.Node, t *top) { t.Worker = c.worker(n) }},
	key[*top]{name: "resources", read: readResources},
	key[*top]{name: "queues", read: readQueues},
	key[*top]{name: "locks", read: readLocks},
	key[*top]{name: "deadline", read: func(c *checker, n *yaml.Node, t *top) { t.Deadline, _ = c.duration(n, "deadline", 1) }},
	key[*top]{name: "halt", read: readHalt},
	key[*top]{name: "output", read: readOutput},
	key[*top]{name: "defaults", read: func(c *checker, n *yaml.Node, t *top) { t.defaults = n }},
	key[*top]{name: "jobs", read: func(c *checker, n *yaml.Node, t *top) { t.jobs = n }},
)

// top reads the whole file.
func (c *checker) top(f *File, n *yaml.Node) {
	t := &top{File: f}
	set, ok := topKeys.read(c, n, "the job file", t)
	if !ok {
		return
	}
	if !topKeys.has(set, "jobs") {
		c.failNode(n, "", "there are no jobs: the key jobs is missing")
	}
	c.jobs(t)
}

// maxName bounds names, which become names of folders and files.
const maxName = 128

func readName(c *checker, n *yaml.Node, t *top) {
	s, ok := c.fixed(n, "name")
	if !ok {
		return
	}
	odd := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == '/' || r == '\\' })
	switch {
	case len(s) > maxName:
		c.failNode(n, "", "name has %d bytes, at most %d are allowed", len(s), maxName)
	case odd >= 0 || strings.Contains(s, "..") || s[0] == '.':
		c.failNode(n, "", `name %s must hold no slash, no "..", no control character and not start with a dot`, quote(s))
	default:
		t.Name = s
	}
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// names remembers the names of one map by how the environment spells them,
// where letters have one case.
type names map[string]string

// addName checks a name that templates and the environment are to know.
func (c *checker) addName(seen names, n *yaml.Node, what, prefix string) bool {
	if len(n.Value) > maxName || !plainName.MatchString(n.Value) {
		c.failNode(n, "", "%s %s must be letters, digits and underscores, and at most %d bytes", what, quote(n.Value), maxName)
		return false
	}
	env := EnvName(prefix, n.Value)
	if other, ok := seen[env]; ok {
		c.failNode(n, "", "%s %s and %s are both %s in the environment", what, quote(n.Value), quote(other), env)
		return false
	}
	seen[env] = n.Value
	return true
}

func readVars(c *checker, n *yaml.Node, t *top) {
	es, ok := c.entries(n, "vars")
	if !ok {
		return
	}
	c.vars = make(map[string]bool, len(es))
	seen := make(names, len(es))
	for _, e := range es {
		c.vars[e.name] = true
		c.varNames = append(c.varNames, e.name)
		if !c.addName(seen, e.key, "variable", "VAR") {
			continue
		}
		if v, ok := c.value(e.value); ok {
			t.Vars = append(t.Vars, Field{e.name, v})
		}
	}
}

func readHalt(c *checker, n *yaml.Node, t *top) {
	s, ok := c.fixed(n, "halt")
	if !ok {
		return
	}
	h, err := ParseHalt(s)
	if err != nil {
		c.failNode(n, "", "%s", err)
		return
	}
	t.Halt = h
}

func readOutput(c *checker, n *yaml.Node, t *top) {
	t.Output, _ = c.oneOf(n, "output", OutputGroup, OutputLive, OutputOrder, OutputNone)
}

// env reads declared variables of the environment.
func (c *checker) env(n *yaml.Node) []EnvVar {
	es, ok := c.entries(n, "env")
	if !ok {
		return nil
	}
	out := make([]EnvVar, 0, len(es))
	for _, e := range es {
		what := "env " + clip(e.name)
		switch {
		case !envName(e.name):
			c.failNode(e.key, "", "env has %s, which is no name of a variable", quote(e.name))
			continue
		case ReservedEnv(e.name):
			c.failNode(e.key, "", "env declares %s, which the supervisor sets itself", clip(e.name))
			continue
		}
		if t, ok := c.template(e.value, what); ok {
			out = append(out, EnvVar{Name: e.name, Value: t})
		}
	}
	return out
}

// envName reports whether an environment can hold a variable of that name.
func envName(s string) bool {
	if s == "" || len(s) > 4*maxName {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r == '=' || r <= ' ' || r == 0x7f }) < 0
}

func (c *checker) inheritEnv(n *yaml.Node) *InheritEnv {
	if c.bad[n] {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		s, ok := c.text(n, "inherit_env")
		switch {
		case !ok:
			return nil
		case s == "all":
			return &InheritEnv{All: true}
		case s == "none":
			return &InheritEnv{}
		}
		c.failNode(n, "a list may hold names and patterns: [PATH, AWS_*]", "inherit_env is all, none or a list, not %s", quote(s))
		return nil
	}
	items, ok := c.list(n, "inherit_env", true)
	if !ok {
		return nil
	}
	ie := &InheritEnv{}
	for _, e := range items {
		s, ok := c.fixed(e, "a name in inherit_env")
		if !ok {
			continue
		}
		if !envName(s) {
			c.failNode(e, "", "inherit_env has %s, which is no name of a variable", quote(s))
			continue
		}
		ie.Patterns = append(ie.Patterns, s)
	}
	return ie
}
