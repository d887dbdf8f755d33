package batch

import (
	"context"
	"io"
	"strconv"
	"testing"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/pool"
)

// instant ends every instance in Submit, so that a run costs what the batch
// itself does.
type instant struct{ res pool.Result }

func (*instant) Tasks(context.Context, *config.Job) ([]string, error) { return []string{"echo"}, nil }
func (*instant) Watch(func(pool.WorkerEvent))                         {}
func (*instant) Cancel(*Instance)                                     {}
func (*instant) Again(*Instance)                                      {}
func (*instant) Kill()                                                {}
func (*instant) Close(context.Context) Closing                        { return Closing{} }

func (x *instant) Submit(in *Instance, o Observer) error {
	if _, err := in.plan.payload(in, 1, 1); err != nil {
		return err
	}
	in.plan.keyOf(in)
	o.Started(in, Attempt{Number: 1, Slot: 1, Worker: "worker-1", PID: 1})
	res := x.res
	o.Done(in, &res)
	return nil
}

// One operation is one instance of a task, from its item to its printed result.
func BenchmarkRun(b *testing.B) {
	for _, tc := range []struct {
		name   string
		output string
		events io.Writer
	}{{"none", config.OutputNone, nil}, {"group", config.OutputGroup, nil}, {"events", config.OutputGroup, io.Discard}} {
		b.Run(tc.name, func(b *testing.B) {
			f, err := config.Parse("job.yaml", []byte("jobs: [{id: a, task: echo, foreach: {range: 1.."+strconv.Itoa(b.N)+"}}]"))
			if err != nil {
				b.Fatal(err)
			}
			x := &instant{res: pool.Result{Outcome: pool.OK, Attempt: 1, PID: 1, Value: appendString(nil, "0123456789abcdef")}}
			b.ReportAllocs()
			b.ResetTimer()
			rep := Run(context.Background(), Config{
				File: f, Executor: x, Workers: 2, Output: tc.output, Events: tc.events, Stdout: io.Discard, Stderr: io.Discard,
			})
			if rep.Totals.OK != int64(b.N) {
				b.Fatalf("%+v", rep.Totals)
			}
		})
	}
}
