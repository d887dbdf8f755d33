package config

import "strings"

// resolveNeeds turns the names in `needs`, and the one in a foreach that takes
// its items from another job, into jobs and puts the jobs into topological
// levels. Names that do not exist and cycles are mistakes.
func (c *checker) resolveNeeds(f *File) {
	var ids []string
	unknown := func(r needRef, what string) {
		if ids == nil {
			ids = jobIDs(f)
		}
		c.fail(r.pos, didYouMean(c.near(r.id, ids)), "%s names %s, which is no job", what, quote(r.id))
	}
	for i, j := range f.Jobs {
		refs := c.needs[i]
		if len(refs) == 0 && !j.Foreach.feeds() {
			continue
		}
		seen := make(map[string]bool, len(refs))
		j.Needs = make([]*Job, 0, len(refs))
		for _, r := range refs {
			need := c.byID[r.id]
			switch {
			case need == nil:
				unknown(r, "needs")
				continue
			case j.Foreach.feeds() && r.id == j.Foreach.of.id:
				c.fail(r.pos, "leave it out", "needs names %s, which %s in foreach needs already", quote(r.id), j.Foreach.Source)
				continue
			case seen[r.id]:
				c.fail(r.pos, "", "needs names %s twice", quote(r.id))
				continue
			}
			seen[r.id] = true
			j.Needs = append(j.Needs, need)
		}
		if !j.Foreach.feeds() {
			continue
		}
		of, what := j.Foreach.of, j.Foreach.Source.String()
		switch need := c.byID[of.id]; {
		case need == nil:
			unknown(of, what)
		case need == j:
			c.fail(of.pos, "", "%s names the job itself", what)
		default:
			j.Foreach.Of = need
			j.Needs = append(j.Needs, need)
		}
	}
	if !c.level(f) {
		c.cycles(f)
	}
}

func jobIDs(f *File) []string {
	ids := make([]string, 0, len(f.Jobs))
	for _, j := range f.Jobs {
		if j.ID != "" {
			ids = append(ids, j.ID)
		}
	}
	return ids
}

// level numbers the levels by taking away, again and again, the jobs whose
// needs are all taken. It reports false where jobs in cycles remain.
func (c *checker) level(f *File) bool {
	open := make(map[*Job]int, len(f.Jobs))
	dependents := make(map[*Job][]*Job)
	var ready []*Job
	for _, j := range f.Jobs {
		if open[j] = len(j.Needs); len(j.Needs) == 0 {
			ready = append(ready, j)
		}
		for _, n := range j.Needs {
			dependents[n] = append(dependents[n], j)
		}
	}
	done, deepest := 0, 0
	for len(ready) > 0 {
		j := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		done++
		deepest = max(deepest, j.Level)
		for _, d := range dependents[j] {
			d.Level = max(d.Level, j.Level+1)
			if open[d]--; open[d] == 0 {
				ready = append(ready, d)
			}
		}
	}
	if done < len(f.Jobs) {
		return false
	}
	f.Levels = make([][]*Job, deepest+1)
	for _, j := range f.Jobs {
		f.Levels[j.Level] = append(f.Levels[j.Level], j)
	}
	return true
}

// cycles reports every cycle that a walk along the needs closes, at the job it
// was entered by.
func (c *checker) cycles(f *File) {
	type step struct {
		j    *Job
		next int
	}
	const (
		onPath = 1
		left   = 2
	)
	state := make(map[*Job]int, len(f.Jobs))
	for _, start := range f.Jobs {
		if state[start] != 0 {
			continue
		}
		path := []step{{j: start}}
		state[start] = onPath
		for len(path) > 0 {
			top := &path[len(path)-1]
			if top.next == len(top.j.Needs) {
				state[top.j] = left
				path = path[:len(path)-1]
				continue
			}
			need := top.j.Needs[top.next]
			top.next++
			switch state[need] {
			case 0:
				state[need] = onPath
				path = append(path, step{j: need})
			case onPath:
				from := len(path) - 1
				for path[from].j != need {
					from--
				}
				ids := make([]string, 0, len(path)-from+1)
				for _, s := range path[from:] {
					ids = append(ids, s.j.ID)
				}
				c.fail(need.Pos, "", "needs form a cycle: %s", cycleText(append(ids, need.ID)))
			}
		}
	}
}

// cycleText writes a cycle, the middle of a long one left out.
func cycleText(ids []string) string {
	const most = 12
	if len(ids) > most {
		short := append([]string(nil), ids[:most/2]...)
		short = append(short, "…")
		ids = append(short, ids[len(ids)-most/2:]...)
	}
	return strings.Join(ids, " → ")
}
