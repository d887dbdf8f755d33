package config

import (
	"go.yaml.in/yaml/v3"
)

// Queue is a named queue of the run.
type Queue struct {
	Pos  Pos
	Name string
	Size int // items that it holds at most; 0: no bound but memory
}

// Lock is a named lock of the run.
type Lock struct {
	Pos  Pos
	Name string
}

// object is what has a name in the run.
type object struct {
	what string
	pos  Pos
}

var queueKeys = newKeyset("in a queue",
	key[*Queue]{name: "size", read: readQueueSize},
)

func readQueues(c *checker, n *yaml.Node, t *top) {
	es, ok := c.entries(n, "queues")
	if !ok {
		return
	}
	if len(n.Content) == 0 {
		c.failNode(n, "", "queues is empty")
	}
	for _, e := range es {
		q := &Queue{Pos: posOf(e.key), Name: e.name}
		if c.declare(e.key, "queue") {
			t.Queues = append(t.Queues, q)
		}
		switch {
		case c.bad[e.value]:
		case isNull(e.value):
		case e.value.Kind == yaml.ScalarNode:
			readQueueSize(c, e.value, q)
		case e.value.Kind == yaml.MappingNode:
			queueKeys.read(c, e.value, "queue "+clip(e.name), q)
		default:
			c.wrong(e.value, "write {size: 100}, or nothing", "queue "+clip(e.name), "a map")
		}
	}
}

func readQueueSize(c *checker, n *yaml.Node, q *Queue) {
	size, _ := c.integer(n, "the size of queue "+clip(q.Name), 0, maxCount)
	q.Size = int(size)
}

func readLocks(c *checker, n *yaml.Node, t *top) {
	items, ok := c.list(n, "locks", false)
	if !ok {
		return
	}
	for _, e := range items {
		if _, ok := c.text(e, "a name in locks"); ok && c.declare(e, "lock") {
			t.Locks = append(t.Locks, &Lock{Pos: posOf(e), Name: e.Value})
		}
	}
}

// declare checks the name of an object, of which there is one in a run, whatever
// it is.
func (c *checker) declare(n *yaml.Node, what string) bool {
	name := n.Value
	if len(name) > maxName || !jobID.MatchString(name) {
		c.failNode(n, "", "%s %s must be letters, digits, _ and -, start with a letter or _, and have at most %d bytes", what, quote(name), maxName)
		return false
	}
	if first, ok := c.objects[name]; ok {
		c.failNode(n, "", "%s %s: the name is taken by the %s in line %d", what, quote(name), first.what, first.pos.Line)
		return false
	}
	if c.objects == nil {
		c.objects = make(map[string]object)
	}
	c.objects[name] = object{what, posOf(n)}
	return true
}
