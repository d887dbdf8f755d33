package pool_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

var (
	chaosTime = flag.Duration("chaos", 10*time.Second, "how long TestChaos_RandomKills lasts, half of it with jobs of microseconds, half with such of 50 ms")
	chaosSeed = flag.Uint64("chaos-seed", 0, "of its random choices; 0 = by the clock")
)

// chore is a job of the test. It signs the ledger before it does anything else.
type chore struct {
	I    int           `msgpack:"i"`
	Nap  time.Duration `msgpack:"nap,omitempty"`
	Fail bool          `msgpack:"fail,omitempty"`
}

var doChore = task.Define("chore", func(ctx context.Context, c chore) (int, error) {
	if _, err := signed(c.I); err != nil {
		return 0, err
	}
	if c.Nap > 0 {
		select {
		case <-time.After(c.Nap):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	if c.Fail {
		return 0, fmt.Errorf("chore %d: %w", c.I, errSentinel)
	}
	return c.result(), nil
})

func (c chore) result() int { return c.I*31 + 7 }

// roundTime bounds one pool's life in the test, so that its ledger is large
// enough.
const roundTime = 5 * time.Second

// Workers are killed at random moments, under jobs of microseconds and of 50 ms,
// some of which are cancelled, have a timeout that may be too short, or return an
// error. Each job ends once, as something that can be; none runs twice; who is
// lost was lost with a worker that was killed, one for each thread of it at most.
func TestChaos_RandomKills(t *testing.T) {
	t.Parallel()
	seed := *chaosSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-chaos %v -chaos-seed %d", *chaosTime, seed)
	total := *chaosTime
	if testing.Short() {
		total = min(total, 4*time.Second)
	}
	kinds := []chaosKind{
		{name: "microseconds", workers: 2, inFlight: 4096, killEvery: 40 * time.Millisecond},
		{name: "50ms", workers: 6, inFlight: 48, killEvery: 80 * time.Millisecond, nap: 50 * time.Millisecond},
		{name: "microseconds-replaced", workers: 2, inFlight: 4096, killEvery: 40 * time.Millisecond, program: pool.Program{MaxJobs: 2000, Spares: 1}},
		{name: "50ms-threads", workers: 2, inFlight: 48, killEvery: 80 * time.Millisecond, nap: 50 * time.Millisecond, program: pool.Program{Threads: 4, Spares: 1, IdleTimeout: 20 * time.Millisecond}},
	}
	each := total / time.Duration(len(kinds))
	rounds := max(1, int((each+roundTime-1)/roundTime))
	for i := range rounds {
		for k := range kinds {
			t.Run(fmt.Sprint(kinds[k].name, "-", i), func(t *testing.T) {
				c := chaos{T: t, chaosKind: kinds[k], random: rand.New(rand.NewPCG(seed, uint64(i*len(kinds)+k)))}
				c.run(each / time.Duration(rounds))
			})
		}
	}
}

// chaosKind is what the rounds of one kind have in common.
type chaosKind struct {
	name      string
	workers   int
	program   pool.Program // how long its workers stay
	inFlight  int
	killEvery time.Duration // on average half of it lies between two kills
	nap       time.Duration // what jobs take on average
}

// replaces reports whether workers are stopped all the time.
func (k *chaosKind) replaces() bool { return k.program.MaxJobs > 0 || k.program.IdleTimeout > 0 }

// chaos is one round.
type chaos struct {
	*testing.T
	chaosKind
	random *rand.Rand // of the submitting goroutine

	p    *pool.Pool
	book *ledger
	prey prey

	room   chan struct{}
	open   sync.WaitGroup
	ends   []atomic.Uint32 // of each job: how often it ended, and how, in the highest byte
	counts [ended]atomic.Int64

	mu   sync.Mutex
	lost map[int][]int // jobs, by the process that they were lost with
}

// ending is what became of a job.
type ending uint32

const (
	endedOK ending = iota
	endedFailed
	endedLost
	endedCancelled
	endedTimeout
	ended // their number
)

func (c *chaos) run(d time.Duration) {
	gated(c.T)
	path := filepath.Join(c.TempDir(), "ledger")
	book, err := openLedger(path)
	if err != nil {
		c.Fatal(err)
	}
	defer unix.Munmap(book.mem)
	c.book = book
	c.ends = make([]atomic.Uint32, maxJobs)
	c.lost = map[int][]int{}
	c.room = make(chan struct{}, c.inFlight)
	defer c.prey.release()
	c.program.Env = append(os.Environ(), ledgerEnv+"="+path)
	c.p, err = pool.New(context.Background(), pool.Config{
		Workers: c.workers, Restarts: 1 << 20, OnWorker: c.prey.event, Program: c.program,
	})
	if err != nil {
		c.Fatal(err)
	}
	defer c.p.Kill() // if it does not get to its end

	stop := make(chan struct{})
	var killer sync.WaitGroup
	hunt := rand.New(rand.NewPCG(c.random.Uint64(), 1))
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(hunt.Int64N(int64(c.killEvery)))):
				// One that was stopped may be gone before its end is told.
				if err := c.prey.kill(hunt); err != nil && !(c.replaces() && errors.Is(err, unix.ESRCH)) {
					c.Error(err)
				}
			}
		}
	})
	n := 0
	for start := time.Now(); time.Since(start) < d && n < maxJobs; n++ {
		c.room <- struct{}{}
		c.open.Add(1)
		c.submit(n)
	}
	close(stop)
	killer.Wait()
	c.settled()
	r := c.p.Shutdown(context.Background())
	c.judge(n, r)
}

// settled waits for the jobs.
func (c *chaos) settled() {
	all := make(chan struct{})
	go func() {
		c.open.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-time.After(time.Minute):
		c.p.Kill()
		panic("jobs do not end") // which shows where everybody is
	}
}

// submit gives job i to the pool: most by Go, some as futures.
func (c *chaos) submit(i int) {
	in := chore{I: i, Fail: c.random.IntN(50) == 0}
	var timeout, cancel time.Duration
	cancelled := c.random.IntN(20) == 0
	if c.nap > 0 {
		in.Nap = time.Duration(c.random.Int64N(int64(2 * c.nap)))
		cancel = time.Duration(c.random.Int64N(int64(3 * c.nap)))
		if c.random.IntN(10) == 0 {
			timeout = time.Millisecond + time.Duration(c.random.Int64N(int64(3*c.nap)))
		}
	} else {
		cancel = time.Duration(c.random.Int64N(int64(2 * time.Millisecond)))
		if c.random.IntN(100) == 0 {
			timeout = time.Millisecond
		}
	}
	if c.random.IntN(4) > 0 {
		payload, err := doChore.EncodeIn(nil, in)
		if err != nil {
			c.Fatal(err)
		}
		j := &pool.Job{Task: doChore.Name(), Payload: payload, Timeout: timeout, Tag: in, Done: c.done}
		if err := c.p.Go(j); err != nil {
			c.Fatal(err)
		}
		if cancelled {
			c.later(cancel, func() { c.p.Cancel(j) })
		}
		return
	}
	var opts []pool.Option
	if timeout > 0 {
		opts = append(opts, pool.WithTimeout(timeout))
	}
	f, err := pool.Submit(context.Background(), c.p, doChore, in, opts...)
	if err != nil {
		c.Fatal(err)
	}
	if cancelled {
		c.later(cancel, func() { f.Cancel() })
	}
	go func() {
		v, err := f.Result(context.Background())
		c.ended(in, v, err)
	}()
}

// later calls f after d, and before the round ends.
func (c *chaos) later(d time.Duration, f func()) {
	c.open.Add(1)
	time.AfterFunc(d, func() {
		defer c.open.Done()
		f()
	})
}

func (c *chaos) done(j *pool.Job, r *pool.Result) {
	in := j.Tag.(chore)
	var v int
	err := r.Err(j)
	if err == nil {
		v, err = doChore.DecodeOut(r.Value)
	}
	if r.Outcome == pool.Cancelled && strings.HasPrefix(r.Evidence, "cancelled before") {
		if pid, _ := c.book.ran(in.I); pid != 0 {
			c.Errorf("job %d is said not to have started, and ran in process %d", in.I, pid)
		}
	}
	c.ended(in, v, err)
}

// ended counts the end of a job.
func (c *chaos) ended(in chore, v int, err error) {
	defer c.open.Done()
	defer func() { <-c.room }()
	how := endedOK
	var lost *pool.WorkerLostError
	var te *pool.TaskError
	switch {
	case err == nil:
		if v != in.result() || in.Fail {
			c.Errorf("job %d returned %d", in.I, v)
		}
	case errors.As(err, &lost):
		how = endedLost
		if lost.Signal != int(unix.SIGKILL) || lost.Outcome != pool.Crashed {
			c.Errorf("job %d: %+v", in.I, lost)
		}
		c.mu.Lock()
		c.lost[lost.PID] = append(c.lost[lost.PID], in.I)
		c.mu.Unlock()
	case errors.Is(err, pool.ErrCancelled):
		how = endedCancelled
	case errors.Is(err, pool.ErrTimeout):
		how = endedTimeout
	case errors.As(err, &te) && errors.Is(err, errSentinel) && in.Fail:
		how = endedFailed
	default:
		c.Errorf("job %d: %v", in.I, err)
	}
	c.counts[how].Add(1)
	c.ends[in.I].Add(1 | uint32(how)<<24)
}

// judge holds what the pool said of n jobs against what the jobs have written and
// who was killed.
func (c *chaos) judge(n int, r pool.Report) {
	count := func(e ending) int { return int(c.counts[e].Load()) }
	killed := c.prey.killed
	c.Logf("%d jobs: %d ok, %d failed, %d lost, %d cancelled, %d timed out; %d kills", n,
		count(endedOK), count(endedFailed), count(endedLost), count(endedCancelled), count(endedTimeout), len(killed))
	if len(killed) == 0 || count(endedOK) == 0 {
		c.Error("that is too little to show anything")
	}
	sum := 0
	for e := range ended {
		sum += count(e)
	}
	if sum != n {
		c.Errorf("%d jobs ended", sum)
	}
	// Of those that were about to stop it is not said that they were lost.
	if r.WorkersLost > len(killed) || r.WorkersLost < len(killed) && !c.replaces() || len(r.Leaked) > 0 {
		c.Errorf("%+v after %d kills", r, len(killed))
	}
	last := map[int]uint32{} // of each process: its last job
	for i := range n {
		pid, nth := c.book.ran(i)
		v := c.ends[i].Load()
		times, how := v&(1<<24-1), ending(v>>24)
		if times != 1 {
			c.Errorf("job %d ended %d times", i, times)
		}
		if nth == twice {
			c.Errorf("job %d ran twice", i)
		}
		if pid == 0 && nth != twice && (how == endedOK || how == endedFailed) {
			c.Errorf("job %d has a result, and did not run", i)
		}
		last[pid] = max(last[pid], nth)
	}
	for pid, jobs := range c.lost {
		if !killed[pid] {
			c.Errorf("jobs %v were lost with process %d, which nobody killed", jobs, pid)
		}
		threads := max(1, c.program.Threads)
		if len(jobs) > threads {
			c.Errorf("the death of process %d cost jobs %v", pid, jobs)
		}
		for _, i := range jobs {
			// It may have been killed between the moment that it counts as started and
			// the one at which it signs.
			if ran, nth := c.book.ran(i); ran != 0 && (ran != pid || threads == 1 && nth != last[ran]) {
				c.Errorf("job %d is said to be lost with process %d; it was number %d of the %d jobs of process %d", i, pid, nth, last[ran], ran)
			}
		}
	}
}

// prey are the workers that may be killed. They are held by pidfds, which mean the
// same process for ever.
type prey struct {
	mu     sync.Mutex
	alive  []hunted
	killed map[int]bool // by pid
}

type hunted struct{ pid, fd int }

func (p *prey) event(e pool.WorkerEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case pool.WorkerReady:
		// It may have ended already, and its number be another's: ours is only what is
		// this program.
		if fd, err := unix.PidfdOpen(e.PID, 0); err == nil {
			exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", e.PID))
			if self, _ := os.Readlink("/proc/self/exe"); exe != self {
				unix.Close(fd)
				return
			}
			p.alive = append(p.alive, hunted{e.PID, fd})
		}
	case pool.WorkerExited:
		for i, h := range p.alive {
			if h.pid == e.PID {
				p.remove(i)
				return
			}
		}
	}
}

func (p *prey) remove(i int) {
	unix.Close(p.alive[i].fd)
	p.alive[i] = p.alive[len(p.alive)-1]
	p.alive = p.alive[:len(p.alive)-1]
}

// kill kills one of them, if there are any.
func (p *prey) kill(random *rand.Rand) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.alive) == 0 {
		return nil
	}
	i := random.IntN(len(p.alive))
	h := p.alive[i]
	err := unix.PidfdSendSignal(h.fd, unix.SIGKILL, nil, 0)
	p.remove(i)
	if err != nil {
		return fmt.Errorf("process %d: %w, though its end was not told", h.pid, err)
	}
	if p.killed == nil {
		p.killed = map[int]bool{}
	}
	p.killed[h.pid] = true
	return nil
}

// release lets go of them.
func (p *prey) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.alive) > 0 {
		p.remove(0)
	}
}
