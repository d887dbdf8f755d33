package batch

import (
	"time"

	"github.com/feac4032/multiproc/internal/text"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// maxShown bounds an item or a result in an event, in bytes.
const maxShown = 64 << 10

// object is what is written about instances.
type object struct{ text.Object }

func newEvent(name string, now time.Time) *object {
	o := &object{text.Object{B: make([]byte, 0, 384)}}
	o.Open()
	o.Time("t", now)
	o.Name("event")
	o.B = append(append(append(o.B, '"'), name...), '"')
	return o
}

// end makes a line of the event.
func (o *object) end() []byte { return append(o.Close(), '\n') }

// instance adds which instance an event is about.
func (o *object) instance(in *Instance) {
	o.Text("job", in.Job.ID)
	o.Int("index", in.Index)
	if in.Job.Foreach != nil && !in.bad {
		o.Item(in.argument(), maxShown)
	}
}

// eventRun tells of the run's start, or with a report of its end.
func (r *run) eventRun(name string, rep *Report) {
	if r.cfg.Events == nil {
		return
	}
	o := newEvent(name, time.Now())
	o.Text("run", r.id)
	o.Text("name", r.cfg.File.Name)
	if rep == nil {
		o.Int("workers", int64(r.cfg.Workers))
	} else {
		o.Int("exit_code", int64(rep.Exit))
		o.Int("jobs", rep.Totals.Jobs)
		o.Int("ok", rep.Totals.OK)
		o.Int("not_started", rep.Totals.NotStarted)
		o.Seconds("wall_s", time.Since(r.begin))
		o.Some("halted", rep.Halted)
		o.Some("error", rep.Error)
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
	e.Evidence = r.mask.Text(e.Evidence)
	r.log.Debug(name, "worker", e.Worker, "pid", e.PID, "evidence", e.Evidence)
	r.tellDeath(&e)
	if r.cfg.Events == nil {
		return
	}
	o := newEvent(name, e.Time)
	o.Text("worker", e.Worker)
	o.Int("pid", int64(e.PID))
	if exited {
		if e.Signal > 0 {
			o.Int("signal", int64(e.Signal))
			o.Some("signal_name", signalName(e.Signal))
		} else if e.ExitCode >= 0 {
			o.Int("exit_code", int64(e.ExitCode))
		}
		o.Some("evidence", e.Evidence)
		o.Some("under", e.Job) // the label of the instance that it ended under
	}
	r.led.event(o.end())
}

func (r *run) eventStart(in *Instance, a Attempt) {
	o := newEvent("job.start", time.Now())
	o.instance(in)
	o.Int("attempt", int64(a.Number))
	o.Some("worker", a.Worker)
	if a.PID > 0 {
		o.Int("pid", int64(a.PID))
	}
	r.led.event(o.end())
}

func (r *run) eventRetry(in *Instance, res *pool.Result, after time.Duration) {
	o := newEvent("job.retry", time.Now())
	o.instance(in)
	o.result(res)
	o.Seconds("after_s", after)
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
		o.Int("attempt", int64(res.Attempt))
	}
	o.Some("worker", res.Worker)
	if res.PID > 0 {
		o.Int("pid", int64(res.PID))
	}
	o.ending(res)
	if res.PID > 0 {
		o.Seconds("wall_s", res.Wall)
	}
	o.usage(res)
	o.Some("evidence", res.Evidence)
}

// ending adds the outcome and what it was concluded from.
func (o *object) ending(res *pool.Result) {
	o.Text("outcome", string(res.Outcome))
	o.Some("which", res.Which)
	o.limit(res)
	if res.ExitCode >= 0 && res.PID > 0 {
		o.Int("exit_code", int64(res.ExitCode))
	}
	if res.Signal > 0 {
		o.Int("signal", int64(res.Signal))
		o.Some("signal_name", signalName(res.Signal))
	}
}

// limit adds what was exceeded: seconds of CPU time, else bytes or a number.
func (o *object) limit(res *pool.Result) {
	if res.Limit == 0 {
		return
	}
	amount := o.Int
	if res.Which == pool.WhichCPU {
		amount = func(name string, n int64) { o.Seconds(name, time.Duration(n)) }
	}
	amount("limit", res.Limit)
	if res.Observed > 0 {
		amount("observed", res.Observed)
	}
	o.Some("enforced_by", res.EnforcedBy)
}

func (o *object) usage(res *pool.Result) {
	if res.CPU > 0 {
		o.Seconds("cpu_s", res.CPU)
	}
	if res.Peak > 0 {
		o.Int("peak_bytes", res.Peak)
		o.Some("peak_source", res.PeakSource)
	}
}

// value adds a task's result, or its size where it is large.
func (o *object) value(v []byte) {
	if len(v) == 0 {
		return
	}
	if len(v) <= maxShown {
		o.Name("result")
		from := len(o.B)
		b, err := task.AppendJSON(o.B, v)
		if err == nil && len(b)-from <= maxShown {
			o.B = b
			return
		}
		o.B = append(o.B[:from], "null"...)
	}
	o.Int("result_bytes", int64(len(v)))
}
