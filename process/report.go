package process

import (
	"fmt"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/internal/death"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// report passes on what a task says of its work: log lines and progress.
type report struct {
	logger   hclog.Logger // nil = none
	progress func(payload []byte) error
	err      error // the first of either, after which nothing is passed on
}

func newReport(o *options) *report {
	r := &report{logger: o.logger, progress: o.progress}
	if !o.ownLogger {
		r.logger = hclog.Default()
	}
	if r.logger != nil {
		r.logger = r.logger.Named(o.name)
	}
	return r
}

var levels = [...]hclog.Level{ipc.LevelDebug: hclog.Debug, ipc.LevelInfo: hclog.Info, ipc.LevelWarn: hclog.Warn, ipc.LevelError: hclog.Error}

// log passes on a log frame. An error is a violation of the protocol.
func (r *report) log(m *ipc.Message) error {
	var fields []any
	if len(m.Body) > 0 {
		if err := task.Decode(m.Body, &fields); err != nil {
			return &ipc.ProtocolError{Kind: m.Kind, Reason: err.Error()}
		}
	}
	if r.logger != nil && r.err == nil {
		r.guard("log lines are", func() error {
			r.logger.Log(levels[m.Level], death.Clean(string(m.Name), len(m.Name)), fields...)
			return nil
		})
	}
	return nil
}

// advance passes on a progress frame.
func (r *report) advance(m *ipc.Message) {
	if r.progress != nil && r.err == nil {
		r.guard("progress is", func() error { return r.progress(m.Body) })
	}
}

// guard calls what the caller has given, and keeps its error or panic from
// the link.
func (r *report) guard(what string, f func() error) {
	defer func() {
		if v := recover(); v != nil {
			r.err = fmt.Errorf("%s lost: %w", what, task.NewPanicError(v, frames))
		}
	}()
	if err := f(); err != nil {
		r.err = fmt.Errorf("%s lost: %w", what, err)
	}
}

// frames begins the names of the functions below those that a report calls.
const frames = "github.com/feac4032/multiproc/process.(*report)."
