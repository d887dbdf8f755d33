package config

import (
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Resource is something of which the instances of a run share a fixed number.
type Resource struct {
	Pos   Pos
	Name  string
	IDs   []Value // what the units are called, without commas and spaces; nil: by numbers from 0
	Count int     // of units, at least 1
}

// ID gives what unit i is called, 0 <= i < Count.
func (r *Resource) ID(i int) string {
	if r.IDs == nil {
		return strconv.Itoa(i)
	}
	return r.IDs[i].Text()
}

// Use is how many units of a resource an attempt holds.
type Use struct {
	Resource *Resource
	Count    int // at least 1, at most the resource's
}

// Memory and slots are resources that every run has.
const (
	UseSlots  = "slots"
	UseMemory = "memory"
)

// readResources reads what the file declares. A resource that was found wrong is
// known all the same, so that no use of it is reported, too.
func readResources(c *checker, n *yaml.Node, t *top) {
	es, ok := c.entries(n, "resources")
	if !ok {
		return
	}
	seen := make(names, len(es)+2)
	seen[EnvName("USES", UseSlots)], seen[EnvName("USES", UseMemory)] = UseSlots, UseMemory
	c.resources = make(map[string]*Resource, len(es))
	for _, e := range es {
		switch e.name {
		case UseSlots:
			c.failNode(e.key, "write workers: N", "slots cannot stand in resources")
			continue
		case UseMemory:
			t.Memory = c.size(e.value, "resource memory")
			c.memory = t.Memory
			continue
		}
		r := &Resource{Pos: posOf(e.key), Name: e.name}
		c.resources[r.Name] = r
		if !c.addName(seen, e.key, "resource", "USES") {
			continue
		}
		if e.value.Kind == yaml.SequenceNode {
			c.units(e.value, r)
		} else {
			r.Count, _ = c.positive(e.value, "resource "+clip(e.name))
		}
		t.Resources = append(t.Resources, r)
	}
}

// units reads the ids of a resource.
func (c *checker) units(n *yaml.Node, r *Resource) {
	what := "resource " + r.Name
	ids, _ := c.list(n, what, false)
	if len(ids) > maxCount {
		c.failNode(n, "", "%s has %d ids, at most %d are allowed", what, len(ids), maxCount)
		return
	}
	seen := make(map[string]bool, len(ids))
	before := c.count
	for _, e := range ids {
		id, ok := c.fixed(e, "an id of "+what)
		switch {
		case !ok:
		case strings.ContainsAny(id, ", \t\r\n"):
			c.failNode(e, "", "an id of %s must hold no comma and no space, not %s", what, quote(id))
		case seen[id]:
			c.failNode(e, "", "%s has %s twice", what, quote(id))
		default:
			seen[id] = true
			r.IDs = append(r.IDs, scalarValue(e))
		}
	}
	if c.count == before {
		r.Count = len(r.IDs)
	}
}

// readUses reads what an attempt takes; it replaces what defaults say.
func readUses(c *checker, n *yaml.Node, d *draft) {
	es, ok := c.entries(n, "uses")
	if !ok {
		return
	}
	d.Uses, d.Slots, d.Memory = nil, 1, 0
	for _, e := range es {
		what := "uses " + clip(e.name)
		switch e.name {
		case UseMemory:
			d.Memory = c.size(e.value, what)
			if c.memory > 0 && d.Memory > c.memory {
				c.failNode(e.value, "", "uses memory: more than the %d bytes that resources say", c.memory)
			}
			continue
		case UseSlots:
			if count, ok := c.positive(e.value, what); ok {
				d.Slots = count
			}
			continue
		}
		count, ok := c.positive(e.value, what)
		r := c.resources[e.name]
		switch {
		case r == nil:
			hint := didYouMean(c.near(e.name, c.resourceNames()))
			if hint == "" && len(c.resources) == 0 {
				hint = "declare it at the top: resources: {NAME: 1}"
			}
			c.failNode(e.key, hint, "uses names %s, which is no resource", quote(e.name))
		case !ok || r.Count == 0:
		case count > r.Count:
			c.failNode(e.value, "", "%s: there are only %d", what, r.Count)
		default:
			d.Uses = append(d.Uses, Use{Resource: r, Count: count})
		}
	}
}

// resourceNames gives all that uses may name.
func (c *checker) resourceNames() []string {
	if c.usable == nil {
		c.usable = []string{UseSlots, UseMemory}
		for name := range c.resources {
			c.usable = append(c.usable, name)
		}
		// Of names equally near the first one is shown: it is to be the same always.
		sort.Strings(c.usable)
	}
	return c.usable
}
