package config

import (
	"fmt"
	"strings"
)

// references checks what a job's templates refer to, as far as the file tells.
func (c *checker) references(j *Job) {
	if f := j.Foreach; f != nil && f.Source == FromJob && f.Of != nil && f.Of.Foreach == nil {
		c.fail(f.of.pos, "lines_of takes what it prints", "from names %s, which has no foreach, and so no items", quote(f.of.id))
	}
	if j.Foreach != nil && j.Matrix != nil {
		if n, known := j.Foreach.Count(); known && j.Matrix.Len() > 0 && n > maxInstances/int64(j.Matrix.Len()) {
			c.fail(j.Foreach.Pos, "", "foreach and matrix make more than 2^53 instances")
		}
	}
	j.eachTemplate(func(t *Template) {
		if len(t.refs) == 0 || c.reported[t] {
			return
		}
		for _, r := range t.refs {
			msg, hint := c.reference(j, t, r)
			if msg == "" {
				continue
			}
			if c.reported == nil {
				c.reported = make(map[*Template]bool)
			}
			c.reported[t] = true
			c.fail(t.pos, hint, "{{%s}}: %s", r, msg)
			return
		}
	})
}

func (c *checker) reference(j *Job, t *Template, r ref) (msg, hint string) {
	switch r.root {
	case rootVar:
		if len(r.path) > 0 && !c.vars[r.path[0]] {
			return fmt.Sprintf("there is no variable %q", r.path[0]), didYouMean(c.near(r.path[0], c.varNames))
		}
	case rootMatrix:
		if j.Matrix == nil {
			return fmt.Sprintf("job %s has no matrix", j.ID), ""
		}
		if len(r.path) > 0 && j.Matrix.axis(r.path[0]) < 0 {
			axes := make([]string, len(j.Matrix.axes))
			for i := range axes {
				axes[i] = j.Matrix.axes[i].Name
			}
			return fmt.Sprintf("there is no axis %q", r.path[0]), didYouMean(c.near(r.path[0], axes))
		}
	case rootItems:
		switch {
		case j.Foreach == nil:
			return fmt.Sprintf("job %s has no foreach", j.ID), ""
		case !j.Chunk.Given():
			return fmt.Sprintf("job %s takes one item at a time, chunk is missing", j.ID), "write {{.item}}"
		case len(r.path) > 0:
			return "items are a list, which has no fields", "write {{range .items}}"
		}
	case rootItem:
		switch {
		case j.Foreach == nil:
			return fmt.Sprintf("job %s has no foreach", j.ID), ""
		case j.Chunk.Given():
			return fmt.Sprintf("job %s takes its items in chunks", j.ID), "write {{.items}}"
		}
		return c.itemReference(j, t, r)
	}
	return "", ""
}

// origin finds the source from which the items of a chain of jobs come first.
func (c *checker) origin(f *Foreach) *Foreach {
	var path []*Foreach
	for f.Source == FromJob && f.Of != nil && f.Of.Foreach != nil {
		if o := c.origins[f]; o != nil {
			f = o
			break
		}
		if c.origins == nil {
			c.origins = make(map[*Foreach]*Foreach)
		}
		c.origins[f] = f // where a cycle ends, which was reported
		path = append(path, f)
		f = f.Of.Foreach
	}
	for _, p := range path {
		c.origins[p] = f
	}
	return f
}

// itemReference checks a reference to the item against the source of items.
func (c *checker) itemReference(j *Job, t *Template, r ref) (msg, hint string) {
	if len(r.path) == 0 {
		return "", ""
	}
	f := c.origin(j.Foreach)
	switch f.Source {
	case FromLines, FromNul, FromGlob, FromRange, FromLinesOf:
		return fmt.Sprintf("the items of %s have no fields", f.Source), "write {{.item}}"
	case FromCSV:
		if len(r.path) > 1 {
			return "the fields of csv are texts, and have no fields", ""
		}
	case FromList:
		// Conditions in a template may keep it from items that lack the field.
		if t.pool != nil {
			break
		}
		if c.looks -= len(f.List); c.looks < 0 {
			break
		}
		lacks := -1
		for i, item := range f.List {
			has := item.has(r.path)
			if has && f != j.Foreach {
				return "", "" // the jobs before may pass on just those that have it
			}
			if !has && lacks < 0 {
				lacks = i
			}
		}
		if lacks >= 0 && f != j.Foreach {
			return fmt.Sprintf("no item of the list has a field %q", strings.Join(r.path, ".")), ""
		}
		if lacks >= 0 {
			return fmt.Sprintf("item %d of the list has no field %q", lacks, strings.Join(r.path, ".")), ""
		}
	}
	return "", ""
}
