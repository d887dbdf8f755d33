package pool_test

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/feac4032/multiproc/internal/faulttest"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/pool"
)

// ofThree makes the job one of three items.
func ofThree(j *pool.Job) { j.Items, j.Payload = 3, []byte{0x93, 1, 2, 3} }

// beginItems is ready of a worker that keeps the page and takes jobs of many
// items, and the first job, which has started.
func beginItems(f *faulttest.Worker) ipc.Message {
	f.OpenPage()
	f.Send(f.ReadyBody(func(r *ipc.Ready) { r.Window = 64 }, ipc.CapMap, ipc.CapPage, ipc.CapCancel, ipc.CapOffsets))
	m := f.Job()
	f.Page.SetStarted(0, m.ID)
	return m
}

// chunks are faults with jobs of many items.
func chunks() (all []fault) {
	// Values 7, 8, 9 and failures, as far as they are not bad.
	for name, payload := range map[string]string{
		"no array":                  "\x80",
		"one element":               "\x91\x93\x07\x08\x09",
		"too few values":            "\x92\x92\x07\x08\x90",
		"too many values":           "\x92\x94\x07\x08\x09\x0a\x90",
		"values in a map":           "\x92\x83\x01\x07\x02\x08\x03\x09\x90",
		"no failures":               "\x92\x93\x07\x08\x09\xc0",
		"more failures than values": "\x92\x93\x07\x08\x09\x94\x92\x00\xc4\x00\x92\x01\xc4\x00\x92\x02\xc4\x00\x92\x03\xc4\x00",
		"index out of range":        "\x92\x93\x07\x08\x09\x91\x92\x03\xc4\x07\x81\xa3msg\xa1x",
		"index twice":               "\x92\x93\x07\x08\x09\x92\x92\x01\xc4\x07\x81\xa3msg\xa1x\x92\x01\xc4\x07\x81\xa3msg\xa1x",
		"indices that fall":         "\x92\x93\x07\x08\x09\x92\x92\x01\xc4\x07\x81\xa3msg\xa1x\x92\x00\xc4\x07\x81\xa3msg\xa1x",
		"negative index":            "\x92\x93\x07\x08\x09\x91\x92\xff\xc4\x07\x81\xa3msg\xa1x",
		"failure that is none":      "\x92\x93\x07\x08\x09\x91\x92\x01\xc4\x01\x05",
		"failure that is no bin":    "\x92\x93\x07\x08\x09\x91\x92\x01\x81\xa3msg\xa1x",
		"no msgpack":                "\x92\x93\x07\xc1\x09\x90",
		"values without end":        "\x92\xdd\xff\xff\xff\xff\x07\x90",
		"bytes behind":              "\x92\x93\x07\x08\x09\x90\x01",
		"the value of one":          "\x07",
	} {
		all = append(all, fault{name: "items: " + name, job: ofThree, want: pool.Protocol, evidence: "protocol violation",
			play: func(f *faulttest.Worker) {
				m := beginItems(f)
				f.Send(ipc.AppendResult(nil, m.ID, ipc.StatusOK, []byte(payload)))
				f.Serve()
			}})
	}
	for item, want := range map[uint64]int{0: -1, 1: 0, 2: 1, 3: 2, 4: -1, 1 << 63: -1} {
		all = append(all, fault{name: fmt.Sprint("items: death at item ", item), job: ofThree, want: pool.Crashed, evidence: "SIGKILL",
			play: func(f *faulttest.Worker) {
				beginItems(f)
				f.Page.SetItem(0, item)
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
			},
			check: func(v *verdict, r *pool.Result) {
				if r.Item != want {
					v.errorf("died at item %d, want %d", r.Item, want)
				}
			}})
	}
	return append(all,
		fault{name: "items: a good answer", job: ofThree, want: pool.OK,
			play: func(f *faulttest.Worker) {
				m := beginItems(f)
				f.Send(ipc.AppendResult(nil, m.ID, ipc.StatusOK, []byte("\x92\x93\x07\xc0\x09\x91\x92\x01\xc4\x07\x81\xa3msg\xa1x")))
				f.Serve()
			},
			check: func(v *verdict, r *pool.Result) {
				if r.Item != -1 {
					v.errorf("item %d", r.Item)
				}
			}},
		fault{name: "items: none are taken", job: ofThree, want: pool.Failed, which: pool.WhichInput, evidence: pool.ErrItems.Error(), always: true,
			play: func(f *faulttest.Worker) { f.Ready(); f.Serve() },
			check: func(v *verdict, r *pool.Result) {
				if err := r.Err(&pool.Job{Task: "noop"}); !isErrItems(err) {
					v.errorf("got %v", err)
				}
			}},
	)
}

// faultyPool is a pool whose first worker plays a fault.
func faultyPool(t *testing.T, name string) *bundle {
	t.Helper()
	return setup(t, pool.Config{Workers: 1, Program: pool.Program{
		Env: append(os.Environ(), faultEnv+"="+name, faultDirEnv+"="+t.TempDir()),
	}})
}

func TestMap_WorkersThatTakeSingleItems(t *testing.T) {
	t.Parallel()
	b := faultyPool(t, "items: none are taken")
	for _, chunk := range []int{0, 50} {
		i := 0
		for out, err := range pool.Map(b.ctx, b.Pool, noop, upTo(500), pool.Chunk(chunk)) {
			if err != nil || out != i {
				t.Fatalf("item %d: %d, %v", i, out, err)
			}
			i++
		}
		if i != 500 {
			t.Fatalf("%d items", i)
		}
	}
}

func TestMap_WorkersThatArePython(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
	b, _ := setupPython(t)
	in := func(yield func([]byte) bool) {
		for i := range 200 {
			if !yield([]byte{byte(i)}) {
				return
			}
		}
	}
	i := 0
	for out, err := range pool.Map(b.ctx, b.Pool, echo, in, pool.Chunk(20)) {
		if err != nil || len(out) != 1 || out[0] != byte(i) {
			t.Fatalf("item %d: %v, %v", i, out, err)
		}
		i++
	}
	if i != 200 {
		t.Fatalf("%d items", i)
	}
}
