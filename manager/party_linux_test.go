package manager_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/psync"
)

const (
	// soon is how long others may take to go on after a party's end.
	soon = slowed * time.Second

	// jobLimit is the timeout of a job that is to end by it: time enough to get
	// to where it is to end.
	jobLimit = slowed * 400 * time.Millisecond
)

// stage is where parties meet: one manager, with a pool, for one seed.
type stage struct {
	*rand.Rand
	t     *testing.T
	ctx   context.Context
	m     *manager.Manager
	p     *pool.Pool
	book  *book
	cast  *[]*party // all that have entered
	pages *int      // of the book, that are in use
	names *int      // that were given
	lost  *int      // workers that were killed
}

// newStage sets a stage for a seed, with a pool of n workers.
func newStage(t *testing.T, seed, n int) *stage {
	t.Helper()
	b := setup(t, n)
	s := &stage{
		Rand: rand.New(rand.NewPCG(uint64(seed), 8)),
		t:    t, ctx: b.ctx, m: b.m, p: b.p, book: newBook(t),
		cast: new([]*party), pages: new(int), names: new(int), lost: new(int),
	}
	t.Cleanup(func() {
		s := s.in(t)
		for _, p := range slices.Clone(*s.cast) {
			told("return")(s, p)
			s.buried(p)
		}
		if n := b.p.WorkersLost(); n != *s.lost {
			t.Errorf("%d workers were lost, and %d killed", n, *s.lost)
		}
		if err := b.m.Close(); err != nil { // ends those who read answers
			t.Error(err)
		}
	})
	return s
}

// in is the stage for a subtest.
func (s *stage) in(t *testing.T) *stage {
	own := *s
	own.t = t
	return &own
}

// play runs a scene as a subtest.
func (s *stage) play(name string, scene func(s *stage)) {
	s.t.Run(name, func(t *testing.T) { scene(s.in(t)) })
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// page opens a new page of the book.
func (s *stage) page() int {
	*s.pages++
	return *s.pages - 1
}

// inBook is an order of which the party notes in the book what it does.
func (s *stage) inBook(o order) (order, page) {
	o.Book, o.Page = s.book.path, s.page()
	return o, s.book.page(o.Page)
}

// moment is a random one in the next few milliseconds.
func (s *stage) moment() {
	time.Sleep(time.Duration(s.Int64N(int64(3 * time.Millisecond))))
}

// party is one that takes part, and follows orders: a process, a job of the pool,
// or a goroutine of the supervisor.
type party struct {
	desk
	kind string
	name string // as an owner
	job  string // that it is, as an owner; "" = none
	pid  int    // of its process

	ended     <-chan struct{}
	outcome   func(context.Context) error // of what has ended
	interrupt func()

	mu   sync.Mutex
	last int
	open map[int]*doing
}

var parties = []struct {
	kind  string
	enter func(*stage, *party, ...pool.Option)
}{{"process", (*stage).process}, {"job", (*stage).poolJob}, {"goroutine", (*stage).goroutine}}

// enter lets a party of a kind come in.
func (s *stage) enter(kind string, opts ...pool.Option) *party {
	s.t.Helper()
	p := &party{kind: kind, name: s.name(kind), open: map[int]*doing{}}
	var err error
	p.Orders, err = manager.NewQueue[order](s.m, "orders of "+p.name, 0)
	s.must(err)
	p.Answers, err = manager.NewQueue[answer](s.m, "answers of "+p.name, 0)
	s.must(err)
	for _, k := range parties {
		if k.kind == kind {
			k.enter(s, p, opts...)
		}
	}
	*s.cast = append(*s.cast, p)
	go p.read()
	a := p.do(s, order{Do: "pid"})
	p.pid = a.Result
	return p
}

func (s *stage) process(p *party, _ ...pool.Option) {
	c := process.New(hand, p.desk, process.WithManager(s.m), process.WithName(p.name),
		process.WithStdout(os.Stderr), process.WithLogger(nil))
	p.job = p.name
	s.must(c.Start(s.ctx))
	p.ended, p.outcome = c.Done(), c.Join
	p.interrupt = func() {
		// What has ended meanwhile is no failure.
		_ = c.Interrupt()
	}
}

func (s *stage) poolJob(p *party, opts ...pool.Option) {
	ctx, cancel := context.WithCancel(s.ctx)
	p.job = p.name
	f, err := pool.Submit(ctx, s.p, hand, p.desk, append(opts, pool.WithLabel(p.job))...)
	s.must(err)
	p.name = "job " + p.job
	p.ended, p.interrupt = f.Done(), cancel
	p.outcome = func(ctx context.Context) error {
		defer cancel()
		_, err := f.Result(ctx)
		return err
	}
}

func (s *stage) goroutine(p *party, _ ...pool.Option) {
	ended := make(chan struct{})
	ctx, cancel := context.WithCancelCause(manager.With(s.ctx, s.m))
	ctx, end := psync.WithOwner(ctx, psync.Named(p.name))
	var err error
	go func() {
		defer close(ended)
		defer end()
		_, err = follow(ctx, p.desk)
	}()
	p.ended, p.interrupt = ended, func() { cancel(errGivenUp) }
	p.outcome = func(context.Context) error {
		cancel(nil)
		return err
	}
}

// read takes the party's answers until the manager is closed.
func (p *party) read() {
	for {
		a, err := p.Answers.Get(context.Background())
		if err != nil {
			return
		}
		p.mu.Lock()
		d := p.open[a.N]
		if !a.Begins {
			delete(p.open, a.N)
		}
		p.mu.Unlock()
		switch {
		case d == nil:
		case a.Begins:
			close(d.begun)
		default:
			d.done <- a
		}
	}
}

// send gives an order.
func (p *party) send(o order) error {
	return p.Orders.Put(context.Background(), o)
}

// doing is an order that was given.
type doing struct {
	o    order
	p    *party
	page page // that shows how far it is; nil = it does one thing

	begun chan struct{}
	done  chan answer
}

// start gives an order, and does not wait until it is carried out.
func (p *party) start(s *stage, o order) *doing {
	s.t.Helper()
	d := &doing{o: o, p: p, begun: make(chan struct{}), done: make(chan answer, 1)}
	if o.Book != "" {
		d.page = s.book.page(o.Page)
	}
	if d.o.K == 0 {
		d.o.K = 1
	}
	p.mu.Lock()
	p.last++
	d.o.N = p.last
	p.open[d.o.N] = d
	p.mu.Unlock()
	s.must(p.send(d.o))
	return d
}

// begin is start, and waits until the party has begun: there will be an answer then
// though the party ends, unless its process does.
func (p *party) begin(s *stage, o order) *doing {
	s.t.Helper()
	o.Tell = true
	d := p.start(s, o)
	select {
	case <-d.begun:
	case <-time.After(soon):
		s.t.Fatalf("%s: %s %s %q: not begun after %v", p.name, o.Do, o.Kind, o.On, soon)
	}
	return d
}

// await returns the answer, which has to come soon, and, of an order that does one
// thing after the other, each of them.
func (d *doing) await(s *stage) answer {
	s.t.Helper()
	for {
		before := 0
		if d.page != nil {
			before = d.page.done()
		}
		select {
		case a := <-d.done:
			d.done <- a // for who asks again
			return a
		case <-time.After(soon):
			if d.page == nil || d.page.done() == before {
				s.t.Fatalf("%s: %s %s %q: not done after %v", d.p.name, d.o.Do, d.o.Kind, d.o.On, soon)
			}
		}
	}
}

// finish is await of what must be done then.
func (d *doing) finish(s *stage) answer {
	s.t.Helper()
	a := d.await(s)
	if err := a.err(); err != nil {
		s.t.Fatalf("%s: %s %s %q: %v", d.p.name, d.o.Do, d.o.Kind, d.o.On, err)
	}
	return a
}

// do gives an order and waits until it is done.
func (p *party) do(s *stage, o order) answer {
	s.t.Helper()
	d := p.start(s, o)
	if p.pid == 0 { // it has to start first
		select {
		case a := <-d.done:
			s.must(a.err())
			return a
		case <-p.ended:
			s.t.Fatalf("%s has not started: %v", p.name, p.outcome(s.ctx))
		case <-time.After(limit):
			s.t.Fatalf("%s has not started after %v", p.name, limit)
		}
	}
	return d.finish(s)
}

// ending is a way in which a party ends.
type ending struct {
	name  string
	of    []string // kinds of parties that may end so
	opts  []pool.Option
	do    func(*stage, *party)
	cause []string // what is told of it has one of these in it; none = nothing is
	fails bool
}

func told(do string) func(*stage, *party) {
	return func(s *stage, p *party) {
		s.t.Helper()
		s.must(p.send(order{Do: do, K: 3}))
	}
}

// killed is the end for which nobody is asked.
var killed = ending{
	name: "killed", of: []string{"process", "job"}, cause: []string{"signal 9", "SIGKILL"}, fails: true,
	do: func(s *stage, p *party) {
		s.must(syscall.Kill(p.pid, syscall.SIGKILL))
		if p.kind == "job" {
			*s.lost++
		}
	},
}

var returns = ending{name: "returns", of: []string{"process", "job", "goroutine"}, do: told("return")}

// endings are those that a job has in a worker which lives on, and a process if it
// has them too.
var endings = []ending{
	{name: "panics", of: []string{"process", "job"}, do: told("panic"), cause: []string{"dropped it"}, fails: true},
	{name: "fails", of: []string{"process", "job", "goroutine"}, do: told("fail"), cause: []string{errGivenUp.Error()}, fails: true},
	returns,
	{name: "exits", of: []string{"process"}, do: told("exit"), cause: []string{"code 3"}, fails: true},
	{name: "is cancelled", of: []string{"process", "job", "goroutine"}, do: func(_ *stage, p *party) { p.interrupt() }, cause: []string{""}, fails: true},
	{name: "times out", of: []string{"job"}, opts: []pool.Option{pool.WithTimeout(jobLimit)}, cause: []string{""}, fails: true,
		do: func(s *stage, p *party) {
			select {
			case <-p.ended:
			case <-time.After(limit):
				s.t.Fatalf("%s has not timed out", p.name)
			}
		}},
}

// another is one of the endings but a kill.
func (s *stage) another() ending {
	if s.IntN(16) == 0 {
		return endings[len(endings)-1] // it takes long
	}
	return endings[s.IntN(len(endings)-1)]
}

// victim lets one come in that can end so.
func (s *stage) victim(e *ending) *party {
	s.t.Helper()
	kinds := slices.DeleteFunc(slices.Clone(e.of), func(kind string) bool { return kind == "goroutine" })
	return s.enter(kinds[s.IntN(len(kinds))], e.opts...)
}

// end ends a party at a random moment.
func (s *stage) end(p *party, e *ending) {
	s.t.Helper()
	s.moment()
	e.do(s, p)
}

// buried waits for the end of a party, and returns what has become of it.
func (s *stage) buried(p *party) error {
	s.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		s.t.Fatalf("%s has not ended", p.name)
	}
	*s.cast = slices.DeleteFunc(*s.cast, func(x *party) bool { return x == p })
	return p.outcome(s.ctx)
}

// dead is buried for a victim.
func (s *stage) dead(p *party, e *ending) error {
	s.t.Helper()
	err := s.buried(p)
	if (err != nil) != e.fails {
		s.t.Errorf("%s, which %s: %v", p.name, e.name, err)
	}
	if e.name != killed.name {
		return err
	}
	var exit *process.ExitError
	var lost *pool.WorkerLostError
	switch {
	case errors.As(err, &exit) && exit.Signal == syscall.SIGKILL && exit.PID == p.pid:
	case errors.As(err, &lost) && lost.Signal == int(syscall.SIGKILL) && lost.PID == p.pid && lost.Job == p.job:
	default:
		s.t.Errorf("%s was killed: %v", p.name, err)
	}
	return err
}
