package main

import (
	"io"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/internal/mask"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// logWriter takes what is logged, an entry in each call, and hides secrets in it.
type logWriter struct {
	w    io.Writer
	mask *mask.Masker // nil: there are none, or they are not known yet
}

func (l *logWriter) Write(p []byte) (int, error) {
	if _, err := l.w.Write(l.mask.Bytes(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// workerLog passes on the lines that workers log. Their fields are a list of
// names and values, shown as JSON, in which secrets are hidden before that: in JSON
// within a quoted text they would look otherwise.
func workerLog(log hclog.Logger, m *mask.Masker) func(pool.LogEvent) {
	return func(e pool.LogEvent) {
		args := []any{"worker", e.Worker}
		if e.Job != "" {
			args = append(args, "job", e.Job)
		}
		if len(e.Fields) > 0 {
			if b, err := task.AppendJSON(nil, batch.Hide(m, e.Fields)); err == nil {
				args = append(args, "fields", string(b))
			}
		}
		log.Log(e.Level, m.Text(e.Message), args...)
	}
}
