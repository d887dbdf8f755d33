package batch

import (
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// maxShown bounds an item or a result in an event, in bytes.
const maxShown = 64 << 10

func newEvent(name string, now time.Time) *object {
	o := (&object{b: make([]byte, 0, 384)}).open()
	o.time("t", now)
	o.name("event")
	o.b = append(append(append(o.b, '"'), name...), '"')
	return o
}

// end makes a line of the event.
func (o *object) end() []byte { return append(o.close(), '\n') }

// instance adds which instance an event is about.
func (o *object) instance(in *Instance) {
	o.text("job", in.Job.ID)
	o.int("index", in.Index)
	if in.Job.Foreach != nil && !in.bad {
		o.item(in.Item, maxShown)
	}
}

// eventRun tells of the run's start, or with a report of its end.
func (r *run) eventRun(name string, rep *Report) {
	if r.cfg.Events == nil {
		return
	}
	o := newEvent(name, time.Now())
	o.text("run", r.id)
	o.text("name", r.cfg.File.Name)
	if rep == nil {
		o.int("workers", int64(r.cfg.Workers))
	} else {
		o.int("exit_code", int64(rep.Exit))
		o.int("jobs", rep.Totals.Jobs)
		o.int("ok", rep.Totals.OK)
		o.int("not_started", rep.Totals.NotStarted)
		o.seconds("wall_s", time.Since(r.begin))
		o.some("halted", rep.Halted)
		o.some("error", rep.Error)
	}
	r.led.event(o.end())
}

// worker is told of a worker's start or end; what else there is of it is in the log.
func (r *run) worker(e pool.WorkerEvent) {
	name, exited := "worker.start", e.Kind == pool.WorkerExited
	switch {
	case exited:
		name = "worker.exit"
	case e.Kind != pool.WorkerReady:
		return
	}
	r.log.Debug(name, "worker", e.Worker, "pid", e.PID, "evidence", e.Evidence)
	if r.cfg.Events == nil {
		return
	}
	o := newEvent(name, e.Time)
	o.text("worker", e.Worker)
	o.int("pid", int64(e.PID))
	if exited {
		if e.Signal > 0 {
			o.int("signal", int64(e.Signal))
			o.some("signal_name", signalName(e.Signal))
		} else if e.ExitCode >= 0 {
			o.int("exit_code", int64(e.ExitCode))
		}
		o.some("evidence", e.Evidence)
		o.some("under", e.Job) // the label of the instance that it ended under
	}
	r.led.event(o.end())
}

func (r *run) eventStart(in *Instance, a Attempt) {
	o := newEvent("job.start", time.Now())
	o.instance(in)
	o.int("attempt", int64(a.Number))
	o.some("worker", a.Worker)
	if a.PID > 0 {
		o.int("pid", int64(a.PID))
	}
	r.led.event(o.end())
}

func (r *run) eventRetry(in *Instance, res *pool.Result, after time.Duration) {
	o := newEvent("job.retry", time.Now())
	o.instance(in)
	o.result(res)
	o.seconds("after_s", after)
	r.led.event(o.end())
}

// endEvent makes the event of an instance's end.
func endEvent(in *Instance, res *pool.Result) []byte {
	o := newEvent("job.end", time.Now())
	o.instance(in)
	o.result(res)
	o.value(res.Value)
	return o.end()
}

// result adds how an attempt ended. What was not measured is absent.
func (o *object) result(res *pool.Result) {
	if res.Attempt > 0 {
		o.int("attempt", int64(res.Attempt))
	}
	o.some("worker", res.Worker)
	if res.PID > 0 {
		o.int("pid", int64(res.PID))
	}
	o.ending(res)
	if res.PID > 0 {
		o.seconds("wall_s", res.Wall)
	}
	o.usage(res)
	o.some("evidence", res.Evidence)
}

// ending adds the outcome and what it was concluded from.
func (o *object) ending(res *pool.Result) {
	o.text("outcome", string(res.Outcome))
	o.some("which", res.Which)
	if res.ExitCode >= 0 && res.PID > 0 {
		o.int("exit_code", int64(res.ExitCode))
	}
	if res.Signal > 0 {
		o.int("signal", int64(res.Signal))
		o.some("signal_name", signalName(res.Signal))
	}
}

func (o *object) usage(res *pool.Result) {
	if res.CPU > 0 {
		o.seconds("cpu_s", res.CPU)
	}
	if res.Peak > 0 {
		o.int("peak_bytes", res.Peak)
	}
}

// value adds a task's result, or its size where it is large.
func (o *object) value(v []byte) {
	if len(v) == 0 {
		return
	}
	if len(v) <= maxShown {
		o.name("result")
		from := len(o.b)
		b, err := task.AppendJSON(o.b, v)
		if err == nil && len(b)-from <= maxShown {
			o.b = b
			return
		}
		o.b = append(o.b[:from], "null"...)
	}
	o.int("result_bytes", int64(len(v)))
}
