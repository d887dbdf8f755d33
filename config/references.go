package config

import "fmt"

// references checks what a job's templates refer to, as far as the file tells.
func (c *checker) references(j *Job) {
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
		return "items come with chunk, which is not available yet", "write {{.item}}"
	case rootItem:
		return j.itemReference(t, r)
	}
	return "", ""
}

// itemReference checks a reference to the item against the source of items.
func (j *Job) itemReference(t *Template, r ref) (msg, hint string) {
	if j.Foreach == nil {
		return fmt.Sprintf("job %s has no foreach", j.ID), ""
	}
	if len(r.path) == 0 {
		return "", ""
	}
	switch j.Foreach.Source {
	case FromLines, FromNul, FromGlob, FromRange:
		return fmt.Sprintf("the items of %s have no fields", j.Foreach.Source), "write {{.item}}"
	case FromList:
		// Conditions in a template may keep it from items that lack the field.
		if t.pool != nil {
			break
		}
		for i, item := range j.Foreach.List {
			if _, err := t.look(r, &Scope{Item: item}); err != nil {
				return fmt.Sprintf("item %d of the list has no field %q", i, r.path[0]), ""
			}
		}
	}
	return "", ""
}
