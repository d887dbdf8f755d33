package pool_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/internal/faulttest"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/worker"
)

// fault is one thing that a worker does to its supervisor.
type fault struct {
	name   string
	play   func(*faulttest.Worker)
	always bool // in every process of the program, not only in the first

	job    func(*pool.Job)    // changes the job that meets the fault
	config func(*pool.Config) // and the pool

	want     pool.Outcome // of that job
	which    string
	evidence string       // a part of what the result, or the worker's end, tells
	behind   pool.Outcome // of the jobs queued behind it; "" = OK
	memory   int64        // bytes that the supervisor may use beyond a frame and 32 MiB
	check    func(*verdict, *pool.Result)
}

const supervisorEnv = "POOL_TEST_FAULT_CASE"

func init() { roles = append(roles, superviseFault) }

// superviseFault is a supervisor for one fault, in a process of its own: so
// what it uses, and leaves behind, can be measured.
func superviseFault() {
	name := os.Getenv(supervisorEnv)
	if name == "" || boot.Role != boot.Program {
		return
	}
	worker.Init()
	v := &verdict{fault: faultNamed(name)}
	v.supervise()
	for _, p := range v.problems {
		fmt.Fprintln(os.Stderr, p)
	}
	if len(v.problems) > 0 {
		os.Exit(1)
	}
	os.Exit(0)
}

func faultNamed(name string) *fault {
	for i := range faults {
		if faults[i].name == name {
			return &faults[i]
		}
	}
	return nil
}

// Whatever a worker does, every job ends once and as it should, the innocent get
// their results, and the supervisor is as it was.
func TestHostileWorker(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			gated(t)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			dir := t.TempDir()
			cmd := exec.CommandContext(ctx, "/proc/self/exe")
			cmd.Env = append(os.Environ(), supervisorEnv+"="+f.name, faultDirEnv+"="+dir,
				"GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE")) // else each process takes a second to end
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if _, err := os.Stat(filepath.Join(dir, "played")); err != nil {
				t.Errorf("the fault was not played: %v", err)
			}
		})
	}
}

// verdict is what a supervisor says of a fault.
type verdict struct {
	*fault
	dir string

	mu       sync.Mutex
	problems []string
	dones    map[string]int // by label
	open     int
	idle     chan struct{} // closed when open is 0
	told     []string      // evidence of the first job, and of the ends of workers
	named    chan struct{} // closed when the evidence that is wanted was among it
}

func (v *verdict) errorf(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.problems = append(v.problems, fmt.Sprintf(format, args...))
}

const (
	behind   = 30  // jobs of the faulty program, behind the first
	innocent = 100 // jobs of another program
	frameCap = 1 << 20
	slack    = 32 << 20
	theValue = 4242
)

func (v *verdict) supervise() {
	v.dir = os.Getenv(faultDirEnv)
	v.dones = map[string]int{}
	v.idle, v.named = make(chan struct{}), make(chan struct{})
	v.tell("") // it may be that nothing has to be told
	spill := filepath.Join(v.dir, "spill")
	if err := os.Mkdir(spill, 0o700); err != nil {
		v.errorf("%v", err)
		return
	}
	first := &pool.Job{Task: noop.Name(), Label: "first", Timeout: time.Minute, KillAfter: 100 * time.Millisecond}
	first.Payload, _ = noop.EncodeIn(nil, theValue)
	if v.job != nil {
		v.job(first)
	}
	warmUp()
	before := descriptors()
	base := resetPeak()
	start := time.Now()
	v.run(spill, first)
	if took := time.Since(start); took > caseLimit {
		v.errorf("took %v", took)
	}

	for label, n := range v.dones {
		if n != 1 {
			v.errorf("job %s was done %d times", label, n)
		}
	}
	if grown := peak() - base; !raceEnabled && grown > frameCap+slack+v.memory {
		v.errorf("memory grew by %d KiB", grown>>10)
	}
	if err := goleak.Find(); err != nil {
		v.errorf("%v", err)
	}
	if left := children(); len(left) > 0 {
		v.errorf("children left: %v", left)
	}
	if left, _ := os.ReadDir(spill); len(left) > 0 {
		v.errorf("files left: %v", left)
	}
	if after := descriptors(); len(after) > len(before) {
		v.errorf("descriptors before: %v; after: %v", before, after)
	}
	if b, err := os.ReadFile(filepath.Join(v.dir, "daemon")); err == nil {
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil || syscall.Kill(pid, 0) != syscall.ESRCH {
			v.errorf("daemon %q is left: %v", b, err)
		}
	}
}

func (v *verdict) run(spill string, first *pool.Job) {
	cfg := pool.Config{Workers: 3, SpillDir: spill, Restarts: 3, OnWorker: v.event}
	if v.config != nil {
		v.config(&cfg)
	}
	p, err := pool.New(context.Background(), cfg)
	if err != nil {
		v.errorf("%v", err)
		return
	}
	prog := cfg.Program
	prog.Env = append(os.Environ(), faultEnv+"="+v.name)
	first.Program = &prog
	// The others must not make the pool start more processes of the program, good
	// ones, before the faulty one has the job.
	taken := make(chan struct{})
	var once sync.Once
	first.Started = func(*pool.Job, int, int, string, int) { once.Do(func() { close(taken) }) }
	v.submit(p, first, func(r *pool.Result) {
		once.Do(func() { close(taken) })
		v.tell(r.Evidence)
		if r.Outcome != v.want || r.Which != v.which {
			v.errorf("first job: %s/%s (%s), want %s/%s", r.Outcome, r.Which, r.Evidence, v.want, v.which)
		}
		if r.Outcome == pool.OK && v.job == nil && v.check == nil {
			if n, err := noop.DecodeOut(r.Value); err != nil || n != theValue {
				v.errorf("first job: %d, %v", n, err)
			}
		}
		if strings.ContainsFunc(r.Evidence, func(c rune) bool { return c < ' ' }) {
			v.errorf("control characters in evidence %q", r.Evidence)
		}
		if v.check != nil {
			v.check(v, r)
		}
	})
	other := &pool.Program{}
	for i := range innocent {
		v.submitNoop(p, other, "innocent", i, pool.OK)
	}
	<-taken
	for i := range behind {
		want := v.behind
		if want == "" {
			want = pool.OK
		}
		v.submitNoop(p, &prog, "behind", i, want)
	}
	limit, cancel := context.WithTimeout(context.Background(), caseLimit)
	defer cancel()
	for _, c := range []struct {
		done    chan struct{}
		problem string
	}{{v.idle, "jobs do not end"}, {v.named, fmt.Sprintf("nobody tells %q", v.evidence)}} {
		select {
		case <-c.done:
		case <-limit.Done():
			stacks := make([]byte, 1<<20)
			open, told := v.state()
			v.errorf("%s: open %v, told %q\n%s", c.problem, open, told, stacks[:runtime.Stack(stacks, true)])
			p.Kill()
		}
	}
	if err := p.Close(); err != nil {
		v.errorf("%v", err)
	}
}

func (v *verdict) event(e pool.WorkerEvent) {
	if e.Kind == pool.WorkerExited {
		v.tell(e.Evidence)
	}
}

// tell takes note of an explanation.
func (v *verdict) tell(evidence string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told = append(v.told, evidence)
	select {
	case <-v.named:
	default:
		if strings.Contains(evidence, v.evidence) {
			close(v.named)
		}
	}
}

func (v *verdict) submitNoop(p *pool.Pool, prog *pool.Program, name string, i int, want pool.Outcome) {
	j := &pool.Job{Task: noop.Name(), Label: name + "#" + strconv.Itoa(i), Program: prog}
	j.Payload, _ = noop.EncodeIn(nil, i)
	v.submit(p, j, func(r *pool.Result) {
		if r.Outcome != want {
			v.errorf("%s: %s (%s)", j.Label, r.Outcome, r.Evidence)
		} else if r.Outcome == pool.OK {
			if n, err := noop.DecodeOut(r.Value); err != nil || n != i {
				v.errorf("%s: %d, %v", j.Label, n, err)
			}
		}
	})
}

func (v *verdict) submit(p *pool.Pool, j *pool.Job, judge func(*pool.Result)) {
	v.mu.Lock()
	v.open++
	v.dones[j.Label] = 0
	v.mu.Unlock()
	j.Done = func(_ *pool.Job, r *pool.Result) {
		judge(r)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.dones[j.Label]++
		// The last is submitted long before the first could be the only one.
		if v.open--; v.open == 0 && len(v.dones) == 1+behind+innocent {
			close(v.idle)
		}
	}
	if err := p.Go(j); err != nil {
		v.errorf("%s: %v", j.Label, err)
	}
}

// state says which jobs are open, and what was told.
func (v *verdict) state() (open, told []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	open = slices.DeleteFunc(slices.Sorted(maps.Keys(v.dones)), func(label string) bool { return v.dones[label] > 0 })
	return open, slices.Clone(v.told)
}

// warmUp makes the runtime open what it keeps open.
func warmUp() {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	r.SetReadDeadline(time.Now().Add(time.Microsecond))
	r.Read(make([]byte, 1))
	r.Close()
	w.Close()
	debug.FreeOSMemory()
}

// descriptors lists what is open.
func descriptors() (open []string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil { // not that of the list
			open = append(open, e.Name()+" "+to)
		}
	}
	return open
}

// resetPeak forgets the peak of resident memory, and returns what is resident.
func resetPeak() int64 {
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	return status("VmRSS")
}

func peak() int64 { return status("VmHWM") }

// status reads a line of this process's status, in bytes.
func status(key string) int64 {
	b, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := bytes.Cut(b, []byte("\n"+key+":"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return n << 10
}
