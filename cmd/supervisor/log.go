package main

import (
	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// workerLog passes on the lines that workers log. Their fields are a list of
// names and values, shown as JSON.
func workerLog(log hclog.Logger) func(pool.LogEvent) {
	return func(e pool.LogEvent) {
		args := []any{"worker", e.Worker}
		if e.Job != "" {
			args = append(args, "job", e.Job)
		}
		if len(e.Fields) > 0 {
			if b, err := task.AppendJSON(nil, e.Fields); err == nil {
				args = append(args, "fields", string(b))
			}
		}
		log.Log(e.Level, e.Message, args...)
	}
}
