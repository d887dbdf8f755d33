//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/task"
)

// relation is who a process is, as itself and its children see it.
type relation struct {
	Name   string
	PID    int
	Daemon bool

	ParentName  string
	ParentPID   int
	ParentAlive bool
	JoinsParent bool // Join of the parent says that it is alive

	Marked bool // the environment tells more than it should
	Child  *relation
}

// descend is a task that starts itself, depth times.
var descend task.Task[int, *relation]

func init() { descend = task.Define("test/descend", descent) }

func descent(ctx context.Context, depth int) (*relation, error) {
	me, up := Current(), Parent()
	over, cancel := context.WithCancel(ctx)
	cancel()
	r := &relation{Name: me.Name, PID: me.PID, Daemon: me.Daemon,
		ParentName: up.Name(), ParentPID: up.PID(), ParentAlive: up.Alive(), JoinsParent: errors.Is(up.Join(over), ErrAlive),
		Marked: slices.ContainsFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "MULTIPROC_ORIGIN=") })}
	if depth == 0 {
		return r, nil
	}
	c := New(descend, depth-1, WithDaemon())
	err := c.Start(ctx)
	if err == nil {
		r.Child, err = c.Result(ctx)
	}
	return r, err
}

func TestProcess_KnowsItselfAndItsParent(t *testing.T) {
	t.Parallel()
	c := New(descend, 2, WithName("adam \"the first\"\n"))
	start(t, c.Process)
	r, err := c.Result(within(t))
	if err != nil {
		t.Fatal(err)
	}
	want := relation{Name: c.Name(), PID: c.PID(), ParentName: "MainProcess", ParentPID: os.Getpid(), ParentAlive: true, JoinsParent: true}
	for depth := 0; ; depth++ {
		child := r.Child
		r.Child = nil
		if *r != want {
			t.Fatalf("at depth %d it is %+v, want %+v", depth, *r, want)
		}
		if depth == 2 {
			break
		}
		want.ParentName, want.ParentPID = r.Name, r.PID
		want.Name, want.PID, want.Daemon = r.Name+":1", child.PID, true
		r = child
	}
	if r.PID == 0 || r.PID == r.ParentPID {
		t.Errorf("pid %d of the last", r.PID)
	}
}

func TestCurrent_OfTheProgramItself(t *testing.T) {
	t.Parallel()
	if me := Current(); me != (Info{Name: "MainProcess", PID: os.Getpid()}) {
		t.Errorf("it is %+v", me)
	}
	if Parent() != nil {
		t.Errorf("it has a parent: %+v", Parent())
	}
}

func TestChildren_ListsProcessesThatRun(t *testing.T) {
	t.Parallel()
	var ps []*Process
	for i := range 6 {
		p := Command([]string{"sleep", "1000"}, WithName(fmt.Sprint("sleeper-", i)))
		ps = append(ps, p)
		if i > 0 {
			start(t, p)
		}
	}
	d := Command([]string{"sleep", "1000"}, WithDaemon())
	start(t, d)
	mine := slices.DeleteFunc(Children(), func(p *Process) bool { return !slices.Contains(append(ps, d), p) })
	if want := append(slices.Clone(ps[1:]), d); !slices.Equal(mine, want) {
		t.Errorf("children %v, want %v", mine, want)
	}
	if ps[1].Daemon() || !d.Daemon() {
		t.Errorf("daemons: %v, %v", ps[1].Daemon(), d.Daemon())
	}
	if err := ps[1].Kill(); err != nil {
		t.Fatal(err)
	}
	<-ps[1].Done()
	if slices.Contains(Children(), ps[1]) {
		t.Error("one that has ended is listed")
	}
}
