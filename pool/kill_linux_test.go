package pool_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// ledger is memory in a file in which every job writes, by itself and before it
// returns, which process ran it, and as which of that process's jobs. What the
// pool says of deaths is held against it.
type ledger struct{ mem []byte }

const maxJobs = 1 << 21

func openLedger(path string) (*ledger, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(8 * maxJobs); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, 8*maxJobs, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return &ledger{mem}, err
}

func (l *ledger) cell(i int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&l.mem[8*i])) }

// ran returns who ran job i, pid 0 for nobody.
func (l *ledger) ran(i int) (pid int, nth uint32) {
	v := l.cell(i).Load()
	return int(v >> 32), uint32(v)
}

const ledgerEnv = "POOL_TEST_LEDGER"

// twice is what nth is when a job ran a second time.
const twice = 1<<32 - 1

var (
	ownLedger = sync.OnceValues(func() (*ledger, error) { return openLedger(os.Getenv(ledgerEnv)) })
	ownJobs   atomic.Uint32
)

var sign = task.Define("sign", func(_ context.Context, i int) (int, error) { return signed(i) })

// signed signs for job i, which this worker runs.
func signed(i int) (int, error) {
	l, err := ownLedger()
	if err != nil {
		return 0, err
	}
	nth := ownJobs.Add(1)
	if !l.cell(i).CompareAndSwap(0, uint64(os.Getpid())<<32|uint64(nth)) {
		l.cell(i).Store(twice)
	}
	return i, nil
}

// Workers are killed at random moments while they run jobs of microseconds. Every
// job ends once, none runs twice, and each death costs at most the one job that
// its worker was at.
func TestKill_AtAnyMomentCostsOneJobAtMost(t *testing.T) {
	t.Parallel()
	gated(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	path := filepath.Join(t.TempDir(), "ledger")
	book, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(book.mem)

	var mu sync.Mutex
	var alive []int // workers that may be killed
	killed := map[int]bool{}
	cfg := pool.Config{Workers: 2, Restarts: 1000, Program: pool.Program{Env: append(os.Environ(), ledgerEnv+"="+path)}}
	cfg.OnWorker = func(e pool.WorkerEvent) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind != pool.WorkerExited {
			alive = append(alive, e.PID)
			return
		}
		alive = slices.DeleteFunc(alive, func(pid int) bool { return pid == e.PID })
	}
	p, err := pool.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()

	// 3 s of it, and on a busy machine more, until there is something to see.
	type loss struct{ job, pid int }
	var lost []loss // under mu
	start := time.Now()
	going := func() bool {
		if time.Since(start) < 3*time.Second {
			return true
		}
		mu.Lock()
		defer mu.Unlock()
		return (len(killed) < 10 || len(lost) == 0) && time.Since(start) < time.Minute
	}
	var killer sync.WaitGroup
	killer.Go(func() {
		for going() {
			time.Sleep(time.Duration(random.Int64N(int64(40 * time.Millisecond))))
			mu.Lock()
			if len(alive) > 0 {
				i := random.IntN(len(alive))
				killed[alive[i]] = true
				syscall.Kill(alive[i], syscall.SIGKILL)
				alive = slices.Delete(alive, i, i+1)
			}
			mu.Unlock()
		}
	})

	var (
		ok   atomic.Int64
		open sync.WaitGroup
		room = make(chan struct{}, 4096)
		done = make([]atomic.Int32, maxJobs)
		n    int
	)
	for ; n < maxJobs && going(); n++ {
		room <- struct{}{}
		open.Add(1)
		payload, _ := sign.EncodeIn(nil, n)
		err := p.Go(&pool.Job{Task: sign.Name(), Payload: payload, Tag: n, Done: func(j *pool.Job, r *pool.Result) {
			i := j.Tag.(int)
			done[i].Add(1)
			switch v, err := sign.DecodeOut(r.Value); {
			case r.Outcome == pool.OK && err == nil && v == i:
				ok.Add(1)
			case r.Outcome == pool.Crashed && r.Signal == int(syscall.SIGKILL):
				mu.Lock()
				lost = append(lost, loss{i, r.PID})
				mu.Unlock()
			default:
				t.Errorf("job %d: %s, signal %d, value %d: %s", i, r.Outcome, r.Signal, v, r.Evidence)
			}
			<-room
			open.Done()
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	open.Wait()
	killer.Wait()

	t.Logf("%d jobs, %d kills, %d jobs lost", n, len(killed), len(lost))
	if len(killed) < 10 || len(lost) == 0 {
		t.Errorf("%d kills and %d lost jobs are too few to show anything", len(killed), len(lost))
	}
	if int(ok.Load())+len(lost) != n || len(lost) > len(killed) {
		t.Errorf("%d ok and %d lost of %d, after %d kills", ok.Load(), len(lost), n, len(killed))
	}
	lostBy := map[int]int{}
	for _, l := range lost {
		if !killed[l.pid] {
			t.Errorf("job %d was lost with process %d, which nobody killed", l.job, l.pid)
		}
		if lostBy[l.pid]++; lostBy[l.pid] > 1 {
			t.Errorf("the death of process %d cost %d jobs", l.pid, lostBy[l.pid])
		}
	}
	last := map[int]uint32{} // of each process: its last job
	for i := range n {
		pid, nth := book.ran(i)
		if pid == 0 && nth == twice {
			t.Errorf("job %d ran twice", i)
		}
		if d := done[i].Load(); d != 1 {
			t.Errorf("job %d was done %d times", i, d)
		}
		last[pid] = max(last[pid], nth)
	}
	for _, l := range lost {
		// It may have been killed between the moment that it counts as started and
		// the one at which it signs.
		if pid, nth := book.ran(l.job); pid != 0 && (pid != l.pid || nth != last[pid]) {
			t.Errorf("job %d is said to be lost with process %d; it was number %d of the %d jobs of process %d", l.job, l.pid, nth, last[pid], pid)
		}
	}
}
