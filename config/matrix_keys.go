package config

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// maxCombinations bounds one matrix; more instances than that come from foreach,
// which is streamed.
const maxCombinations = 1_000_000

// matrix reads axes, `exclude` and `include`.
func (c *checker) matrix(n *yaml.Node) *Matrix {
	es, ok := c.entries(n, "matrix")
	if !ok {
		return nil
	}
	before := c.count
	m := &Matrix{product: 1}
	var include, exclude *yaml.Node
	seen := make(names, len(es))
	for _, e := range es {
		switch e.name {
		case "include":
			include = e.value
			continue
		case "exclude":
			exclude = e.value
			continue
		}
		axis := Axis{Name: e.name}
		if c.addName(seen, e.key, "axis", "MATRIX") {
			axis.Values = c.axis(e)
		}
		// A wrong axis stays, so that references to it are not reported too.
		m.axes = append(m.axes, axis)
	}
	if len(m.axes) == 0 {
		c.failNode(n, "", "matrix has no axes")
		return m
	}
	for _, a := range m.axes {
		if m.product *= len(a.Values); m.product > maxCombinations {
			c.failNode(n, "put the longest axis into foreach", "matrix has more than %d combinations", maxCombinations)
			return m
		}
	}
	if c.count > before {
		return m
	}
	if exclude != nil {
		c.exclude(m, exclude)
	}
	if include != nil {
		c.include(m, include)
	}
	if m.kept != nil && m.Len() == 0 {
		c.failNode(n, "", "matrix excludes every combination")
	}
	return m
}

func (c *checker) axis(e entry) []Value {
	what := "axis " + clip(e.name)
	items, ok := c.list(e.value, what, false)
	if !ok {
		return nil
	}
	values := make([]Value, 0, len(items))
	seen := make(map[string]bool, len(items))
	for _, item := range items {
		v, ok := c.value(item)
		if !ok {
			continue
		}
		id := identity(v)
		if seen[id] {
			c.failNode(item, "", "%s has %s twice", what, clip(v.Text()))
			continue
		}
		seen[id] = true
		values = append(values, v)
	}
	return values
}

// identity is a text that only equal values share.
func identity(v Value) string { return fmt.Sprintf("%d:%s", v.typ, v.Text()) }

// combination reads a map from axes to values, as indexes into m.axes.
func (c *checker) combination(m *Matrix, n *yaml.Node, what string) (map[int]entry, map[int]Value, bool) {
	es, ok := c.entries(n, what)
	if !ok {
		return nil, nil, false
	}
	at := make(map[int]entry, len(es))
	values := make(map[int]Value, len(es))
	for _, e := range es {
		a := m.axis(e.name)
		if a < 0 {
			all := make([]string, len(m.axes))
			for i := range m.axes {
				all[i] = m.axes[i].Name
			}
			c.failNode(e.key, didYouMean(c.near(e.name, all)), "%s names %s, which is no axis", what, quote(e.name))
			ok = false
			continue
		}
		v, good := c.value(e.value)
		at[a], values[a], ok = e, v, ok && good
	}
	return at, values, ok
}

func (m *Matrix) axis(name string) int {
	for i := range m.axes {
		if m.axes[i].Name == name {
			return i
		}
	}
	return -1
}

// indexOf gives the place of a value on an axis, -1 if it is not there.
func (a *Axis) indexOf(v Value) int {
	for i := range a.Values {
		if a.Values[i].Equal(v) {
			return i
		}
	}
	return -1
}

func (c *checker) exclude(m *Matrix, n *yaml.Node) {
	items, ok := c.list(n, "exclude", true)
	if !ok {
		return
	}
	gone := make([]bool, m.product)
	for _, item := range items {
		at, values, ok := c.combination(m, item, "exclude")
		if !ok {
			continue
		}
		if len(values) == 0 {
			c.failNode(item, "", "exclude names no axis")
			continue
		}
		want := make([]int, len(m.axes))
		for a := range want {
			want[a] = -1
			v, named := values[a]
			if !named {
				continue
			}
			if want[a] = m.axes[a].indexOf(v); want[a] < 0 {
				c.failNode(at[a].value, "", "exclude: axis %s does not have %s", m.axes[a].Name, kindName(at[a].value))
				ok = false
			}
		}
		if ok {
			m.strike(gone, want)
		}
	}
	m.kept = make([]int32, 0, m.product)
	for i, g := range gone {
		if !g {
			m.kept = append(m.kept, int32(i))
		}
	}
}

// strike marks the combinations that have the wanted index on each axis, -1
// standing for any.
func (m *Matrix) strike(gone []bool, want []int) {
	for i := range gone {
		rest, match := i, true
		for a := len(m.axes) - 1; a >= 0 && match; a-- {
			n := len(m.axes[a].Values)
			match = want[a] < 0 || want[a] == rest%n
			rest /= n
		}
		if match {
			gone[i] = true
		}
	}
}

func (c *checker) include(m *Matrix, n *yaml.Node) {
	items, ok := c.list(n, "include", true)
	if !ok {
		return
	}
	seen := make(map[string]bool)
	for _, item := range items {
		_, values, ok := c.combination(m, item, "include")
		if !ok {
			continue
		}
		row := make([]Value, len(m.axes))
		id := ""
		for a := range m.axes {
			v, named := values[a]
			if !named {
				c.failNode(item, "", "include must name every axis, %s is missing", m.axes[a].Name)
				ok = false
				continue
			}
			row[a] = v
			id += identity(v) + "\x00"
		}
		if !ok {
			continue
		}
		if seen[id] || m.holds(row) {
			c.failNode(item, "", "include repeats a combination")
			continue
		}
		seen[id] = true
		m.extra = append(m.extra, row)
	}
}

// holds reports whether the product, after exclude, has the combination.
func (m *Matrix) holds(row []Value) bool {
	i := 0
	for a := range m.axes {
		at := m.axes[a].indexOf(row[a])
		if at < 0 {
			return false
		}
		i = i*len(m.axes[a].Values) + at
	}
	if m.kept == nil {
		return true
	}
	lo, hi := 0, len(m.kept)
	for lo < hi {
		if mid := (lo + hi) / 2; int(m.kept[mid]) < i {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(m.kept) && int(m.kept[lo]) == i
}
