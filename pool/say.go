package pool

import (
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/internal/death"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

var levels = [...]hclog.Level{ipc.LevelDebug: hclog.Debug, ipc.LevelInfo: hclog.Info, ipc.LevelWarn: hclog.Warn, ipc.LevelError: hclog.Error}

// logLine passes on a log frame.
func (w *worker) logLine(m *ipc.Message) error {
	if len(m.Body) > 0 {
		if err := ipc.ValidatePayload(m.Body); err != nil {
			return err
		}
	}
	level := levels[m.Level]
	toLogger := w.p.cfg.ownLogger && w.p.log.GetLevel() <= level
	if !toLogger && w.p.cfg.OnLog == nil {
		return nil
	}
	job := ""
	w.p.mu.Lock()
	if j := w.flight.get(m.ID); j != nil {
		job = label(j)
	}
	w.p.mu.Unlock()
	if toLogger {
		if err := w.log(level, job, m); err != nil {
			return err
		}
	}
	if w.p.cfg.OnLog != nil {
		w.p.cfg.OnLog(LogEvent{
			Time: time.Now(), Worker: w.name, Job: job, Level: level,
			Message: string(m.Name), Fields: append([]byte(nil), m.Body...),
		})
	}
	return nil
}

// log writes the line with who has sent it in front of its own fields.
func (w *worker) log(level hclog.Level, job string, m *ipc.Message) error {
	fields := make([]any, 0, 8)
	if len(m.Body) > 0 {
		if err := task.Decode(m.Body, &fields); err != nil {
			return &ipc.ProtocolError{Kind: m.Kind, Reason: err.Error()}
		}
	}
	who := append(make([]any, 0, 4+len(fields)), "worker", w.name)
	if job != "" {
		who = append(who, "job", job)
	}
	w.p.log.Log(level, death.Clean(string(m.Name), len(m.Name)), append(who, fields...)...)
	return nil
}

// progress passes on a progress frame.
func (w *worker) progress(m *ipc.Message) error {
	if err := ipc.ValidatePayload(m.Body); err != nil {
		return err
	}
	w.p.mu.Lock()
	j := w.flight.get(m.ID)
	known := m.ID <= w.sentID && (w.partial == 0 || m.ID < w.partial)
	w.p.mu.Unlock()
	if !known {
		return &ipc.ProtocolError{Kind: m.Kind, Reason: "of a job that it has not been given"}
	}
	if j != nil && j.Progress != nil {
		j.Progress(j, m.Body)
	}
	return nil
}
