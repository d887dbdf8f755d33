package worker

import (
	"context"
	"fmt"
	"io"
	"log"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// logMax bounds a log line's text in bytes, logFields its keys and values.
const (
	logMax    = 16 << 10
	logFields = ipc.MaxInline - 1<<10
)

// Logger returns a logger whose lines travel to the supervisor, which knows the
// job that they are about; a line that is written after the job was answered
// counts as the worker's own. Values are sent as they are if they can be encoded
// (see task.Encode), and as text otherwise. A text is cut at 16 KiB; fields that
// take more than 63 KiB together are left out, and the line says so.
//
// Lines below debug are not sent; filtering is the supervisor's. A call blocks
// while the supervisor does not keep up. In a context that is not a job's,
// Logger returns hclog.Default().
func Logger(ctx context.Context) hclog.Logger {
	c := contextOf(ctx)
	if c == nil {
		return hclog.Default()
	}
	level := new(atomic.Int32)
	level.Store(int32(hclog.Debug))
	return &logger{job: c, level: level}
}

// logger is an hclog.Logger over the link.
type logger struct {
	job     *jobContext
	name    string
	implied []any
	level   *atomic.Int32 // shared with the loggers made of this one
}

var _ hclog.Logger = (*logger)(nil)

func (l *logger) Log(level hclog.Level, msg string, args ...any) {
	if level == hclog.NoLevel {
		level = hclog.Info
	}
	if !l.at(level) {
		return
	}
	if l.name != "" {
		msg = l.name + ": " + msg
	}
	msg = strings.ToValidUTF8(msg, "\uFFFD")
	if len(msg) > logMax {
		msg = strings.ToValidUTF8(msg[:logMax], "") + "…"
	}
	l.send(wireLevel(level), msg, l.fields(args))
}

// fields encodes keys and values as one array.
func (l *logger) fields(args []any) []byte {
	all := make([]any, 0, len(l.implied)+len(args)+1)
	all = append(append(all, l.implied...), args...)
	if len(all)%2 == 1 { // as hclog does
		all = append(all, all[len(all)-1])
		all[len(all)-2] = hclog.MissingKey
	}
	if len(all) == 0 {
		return nil
	}
	payload, err := task.Encode(nil, portable(all))
	if err != nil || len(payload) > logFields {
		payload, err = task.Encode(nil, []any{"fields_omitted", len(all) / 2})
	}
	if err != nil {
		return nil
	}
	return payload
}

// portable replaces what cannot be sent by its text.
func portable(fields []any) []any {
	for i, v := range fields {
		switch v := v.(type) {
		case error:
			fields[i] = text(v)
		case hclog.Format:
			if len(v) > 0 {
				fields[i] = text(fmt.Sprintf(fmt.Sprint(v[0]), v[1:]...))
			}
		case fmt.Stringer:
			fields[i] = text(v)
		default:
			if _, err := task.Encode(nil, v); err != nil || i%2 == 0 {
				fields[i] = text(v)
			}
		}
	}
	return fields
}

// text survives the panics of a value's methods, as fmt does.
func text(v any) string { return strings.ToValidUTF8(fmt.Sprint(v), "\uFFFD") }

// send gives up when the link has ended: there is nobody to tell.
func (l *logger) send(level ipc.Level, msg string, fields []byte) {
	s := l.job.srv
	if s.credit.take(len(fields), s) != nil {
		return
	}
	frame := make([]byte, frameHeader, len(msg)+len(fields)+32)
	err := s.out.put(sealed(ipc.AppendLog(frame, l.job.info.ID, level, msg, fields)), l.job, false)
	if err == ErrNoJob {
		s.out.put(sealed(ipc.AppendLog(frame[:frameHeader], 0, level, msg, fields)), nil, false)
	}
}

func wireLevel(level hclog.Level) ipc.Level {
	switch {
	case level >= hclog.Error:
		return ipc.LevelError
	case level == hclog.Warn:
		return ipc.LevelWarn
	case level == hclog.Info:
		return ipc.LevelInfo
	}
	return ipc.LevelDebug
}

func (l *logger) at(level hclog.Level) bool {
	return level >= hclog.Debug && level >= l.GetLevel() && level != hclog.Off
}

func (l *logger) Trace(string, ...any)          {}
func (l *logger) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }
func (l *logger) Info(msg string, args ...any)  { l.Log(hclog.Info, msg, args...) }
func (l *logger) Warn(msg string, args ...any)  { l.Log(hclog.Warn, msg, args...) }
func (l *logger) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }
func (l *logger) IsTrace() bool                 { return false }
func (l *logger) IsDebug() bool                 { return l.at(hclog.Debug) }
func (l *logger) IsInfo() bool                  { return l.at(hclog.Info) }
func (l *logger) IsWarn() bool                  { return l.at(hclog.Warn) }
func (l *logger) IsError() bool                 { return l.at(hclog.Error) }
func (l *logger) ImpliedArgs() []any            { return l.implied }
func (l *logger) Name() string                  { return l.name }
func (l *logger) SetLevel(level hclog.Level)    { l.level.Store(int32(level)) }
func (l *logger) GetLevel() hclog.Level         { return hclog.Level(l.level.Load()) }

func (l *logger) With(args ...any) hclog.Logger {
	n := *l
	n.implied = append(append([]any(nil), l.implied...), args...)
	if len(args)%2 == 1 {
		n.implied[len(n.implied)-1] = hclog.MissingKey
		n.implied = append(n.implied, args[len(args)-1])
	}
	return &n
}

func (l *logger) Named(name string) hclog.Logger {
	if l.name != "" {
		name = l.name + "." + name
	}
	return l.ResetNamed(name)
}

func (l *logger) ResetNamed(name string) hclog.Logger {
	n := *l
	n.name = name
	return &n
}

func (l *logger) StandardLogger(opts *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(l.StandardWriter(opts), "", 0)
}

// StandardWriter logs each write as a line. Of the options only ForceLevel
// counts; without it a line is of level info.
func (l *logger) StandardWriter(opts *hclog.StandardLoggerOptions) io.Writer {
	w := &lineWriter{to: l, level: hclog.Info}
	if opts != nil && opts.ForceLevel != hclog.NoLevel {
		w.level = opts.ForceLevel
	}
	return w
}

type lineWriter struct {
	to    *logger
	level hclog.Level
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.to.Log(w.level, strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
