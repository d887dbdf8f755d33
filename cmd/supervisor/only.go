package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/feac4032/multiproc/config"
)

// choose leaves in a file what -only names: jobs with all that they need, and
// single instances, whose job then needs nothing. It gives the indexes of these by
// job.
func choose(f *config.File, only []string) (map[string][]int64, error) {
	indexes := make(map[string][]int64)
	wanted := make(map[*config.Job]bool)
	whole := make(map[*config.Job]bool)
	var add func(j *config.Job)
	add = func(j *config.Job) {
		if whole[j] {
			return
		}
		wanted[j], whole[j] = true, true
		for _, need := range j.Needs {
			add(need)
		}
	}
	for _, name := range only {
		id, number, single := strings.Cut(name, "#")
		i := slices.IndexFunc(f.Jobs, func(j *config.Job) bool { return j.ID == id })
		if i < 0 {
			ids := make([]string, len(f.Jobs))
			for i, j := range f.Jobs {
				ids[i] = j.ID
			}
			return nil, usagef("-only %s: there is no job %q%s", name, id, suggestion(id, "", ids))
		}
		j := f.Jobs[i]
		if !single {
			add(j)
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 0 {
			return nil, usagef("-only %s: want ID or ID#INDEX, with an index from 0", name)
		}
		if j.Foreach != nil && j.Foreach.Of != nil {
			return nil, usagef("-only %s: its items come from %s; -only %s runs that too", name, j.Foreach.Of.ID, id)
		}
		if count, known := instances(j); known && n >= count {
			return nil, usagef("-only %s: there is no such instance: %s has %d", name, id, count)
		}
		wanted[j] = true
		indexes[id] = append(indexes[id], n)
	}
	for j := range wanted {
		if whole[j] {
			delete(indexes, j.ID)
			continue
		}
		j.Needs, j.Level, j.When = nil, 0, config.WhenOK
	}
	f.Jobs = slices.DeleteFunc(f.Jobs, func(j *config.Job) bool { return !wanted[j] })
	return indexes, nil
}

// instances counts those of a job, if the file alone tells how many they are.
func instances(j *config.Job) (n int64, known bool) {
	n = 1
	if j.Matrix != nil {
		n = int64(j.Matrix.Len())
	}
	if j.Foreach == nil {
		return n, true
	}
	items, known := j.Foreach.Count()
	switch size := int64(j.Chunk.Size); {
	case j.Chunk.Auto:
		return 0, false
	case size > 1:
		items = (items + size - 1) / size
	}
	return n * items, known
}
