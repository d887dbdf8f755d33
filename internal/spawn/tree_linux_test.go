package spawn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func pidLine(t *testing.T, o *output) int {
	t.Helper()
	pid, err := strconv.Atoi(o.line())
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestDone_ComesAfterLeftoversAreGone(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"background":       "sleep 1000 & echo $!",
		"double fork":      "(setsid sh -c 'echo $$; exec sleep 1000' &); read x <&3",
		"stopped":          "sh -c 'kill -STOP $$; sleep 1000' & echo $!",
		"ignores TERM":     "sh -c 'trap \"\" TERM HUP; echo $$; sleep 1000' & read x <&3",
		"no environment":   "(setsid env -i sh -c 'echo $$; exec sleep 1000' &); read x <&3",
		"chain of orphans": "(setsid sh -c '(setsid sh -c \"(setsid sh -c \\\"echo \\\\\\$\\\\\\$; exec sleep 1000\\\" &) ; exec sleep 1000\" &); exec sleep 1000' &); read x <&3",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A guardian of its own: what has no environment is attributed
			// only if nobody else runs.
			g := open(t, Options{})
			out, in := newOutput(t), newOutput(t)
			s := shell(out.w, script)
			s.Files = append(s.Files, nil, in.r)
			p := start(t, g, s)
			pid := pidLine(t, out)
			in.w.Close()
			st := waitDone(t, p)
			if alive(pid) {
				t.Errorf("%d is alive after Done", pid)
			}
			if !st.TreeEmpty || len(st.Leaked) > 0 || st.Signal != 0 {
				t.Errorf("status is %+v", st)
			}
			select {
			case <-p.Exited():
			default:
				t.Error("Done is closed before Exited")
			}
			out.ended(deadline)
		})
	}
}

func TestInGroups_FindsThoseBelow(t *testing.T) {
	t.Parallel()
	const path = "/multiproc-0/1"
	for groups, want := range map[string]bool{
		"4:memory:/a/multiproc-0/1\n0::/\n":    true,
		"0::/a/multiproc-0/1/of its own\n":     true,
		"0::/a/multiproc-0/11\n":               false,
		"0::/a/multiproc-0\n4:memory:/other\n": false,
		"":                                     false,
	} {
		if got := inGroups(groups, path); got != want {
			t.Errorf("%q: %v", groups, got)
		}
	}
}

func TestEnd_LeavesOrphansOfOthersAlone(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	out, in := newOutput(t), newOutput(t)
	s := shell(out.w, "(setsid sh -c 'echo $$; exec sleep 1000' &); read x <&3; exit 5")
	s.Files = append(s.Files, nil, in.r)
	a := start(t, g, s)
	orphan := pidLine(t, out)
	for range 10 {
		st := waitDone(t, start(t, g, shell(nil, "(sleep 1000 &)")))
		if !st.TreeEmpty || len(st.Leaked) > 0 {
			t.Fatalf("status is %+v", st)
		}
		if !alive(orphan) {
			st, ok := readStat(orphan)
			t.Fatalf("the end of one process killed the orphan of another: %+v %v; %+v", st, ok, a.Status())
		}
	}
	in.w.Close()
	if st := waitDone(t, a); st.Code != 5 || !st.TreeEmpty {
		t.Errorf("status is %+v", st)
	}
	if alive(orphan) {
		t.Error("the orphan outlived its tree")
	}
}

func TestEnd_NamesOrphansThatMayBelongToOthers(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	out, in, in2, in3 := newOutput(t), newOutput(t), newOutput(t), newOutput(t)
	hold := func(in *output, script string) *Process {
		s := shell(out.w, script)
		s.Files = append(s.Files, nil, in.r, in3.r)
		return start(t, g, s)
	}
	bystander := hold(in, "echo up; read x <&3; exit 1")
	out.line()
	// The shell goes on when its subshell has ended, so that the other's pid
	// is that of an orphan.
	owner := hold(in2, "(setsid env -i sh -c 'read x; echo $$; exec sleep 1000' <&3 &); echo orphaned; read x <&4; exit 2")
	if line := out.line(); line != "orphaned" {
		t.Fatalf("output is %q", line)
	}
	in2.w.WriteString("go\n")
	hidden := pidLine(t, out)
	in.w.Close()
	if st := waitDone(t, bystander); !st.TreeEmpty || !slices.Equal(st.Leaked, []int{hidden}) || !alive(hidden) {
		t.Errorf("status of the bystander is %+v", st)
	}
	in3.w.Close()
	if st := waitDone(t, owner); !st.TreeEmpty || len(st.Leaked) > 0 {
		t.Errorf("status of the owner is %+v", st)
	}
	if alive(hidden) {
		t.Error("the orphan outlived its tree")
	}
}

// Two that could own an orphan end at the same time. Neither may leave it to the
// other.
func TestEnd_OfTwoAtOnceLeavesNoOrphan(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	for range 60 {
		out, in, end := newOutput(t), newOutput(t), newOutput(t)
		hold := func(script string) *Process {
			s := shell(out.w, script)
			s.Files = append(s.Files, nil, in.r, end.r)
			return start(t, g, s)
		}
		bystander := hold("echo up; read x <&4; exit 1")
		out.line()
		owner := hold("(setsid env -i sh -c 'read x; echo $$; exec sleep 1000' <&3 &); echo orphaned; read x <&4; exit 2")
		if line := out.line(); line != "orphaned" {
			t.Fatalf("output is %q", line)
		}
		in.w.WriteString("go\n")
		hidden := pidLine(t, out)
		end.w.Close()
		waitDone(t, bystander)
		waitDone(t, owner)
		if alive(hidden) {
			t.Fatal("the orphan outlived both")
		}
	}
}

func TestReap_OrphansOfRunningProcesses(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	out := newOutput(t)
	p := start(t, g, shell(out.w, "i=0; while [ $i -lt 20 ]; do (true &); i=$((i+1)); done; echo up; exec sleep 1000"))
	out.line()
	// Any exit makes the guardian look at its orphans.
	waitDone(t, start(t, g, &Spec{Path: "/bin/true"}))
	n := 0
	for _, pid := range childrenOf(nil, g.current.pid) {
		if st, ok := readStat(pid); ok && st.dead() {
			n++
		}
	}
	if n > 1 {
		t.Errorf("%d zombies", n)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	waitDone(t, p)
}

func TestTerminate_ReachesTheWholeTree(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	out := newOutput(t)
	child := "trap \"echo term; exit\" TERM; echo up; while :; do sleep 1000 & wait; done"
	p := start(t, g, shell(out.w, fmt.Sprintf("sh -c '%s' & setsid sh -c '%s' & (setsid sh -c '%s' &); trap 'wait; exit 7' TERM; echo up; wait", child, child, child)))
	for range 4 {
		out.line()
	}
	if err := p.Terminate(); err != nil {
		t.Fatal(err)
	}
	if st := waitDone(t, p); st.Code != 7 && st.Signal != syscall.SIGTERM || !st.TreeEmpty {
		t.Errorf("status is %+v", st)
	}
	if n := strings.Count(out.ended(deadline), "term\n"); n < 2 {
		t.Errorf("%d processes saw SIGTERM, want those that have the time", n)
	}
}

func TestTerminate_WakesStoppedProcesses(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	out := newOutput(t)
	p := start(t, g, shell(out.w, "trap 'exit 9' TERM; echo up; kill -STOP $$; sleep 1000"))
	out.line()
	if err := p.Stop(deadline); err != nil {
		t.Fatal(err)
	}
	if st := waitDone(t, p); st.Code != 9 && st.Signal != syscall.SIGTERM {
		t.Errorf("status is %+v", st)
	}
}

func TestStop_KillsWhatIgnoresTerm(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	out := newOutput(t)
	p := start(t, g, shell(out.w, "trap '' TERM; (setsid sleep 1000 &); echo up; while :; do sleep 1000; done"))
	out.line()
	begun := time.Now()
	if err := p.Stop(deadline); err != nil {
		t.Fatal(err)
	}
	// A later call shortens the time, one after that does not lengthen it.
	for _, grace := range []time.Duration{100 * time.Millisecond, deadline} {
		if err := p.Stop(grace); err != nil {
			t.Fatal(err)
		}
	}
	st := waitDone(t, p)
	if st.Signal != syscall.SIGKILL || !st.TreeEmpty {
		t.Errorf("status is %+v", st)
	}
	if took := time.Since(begun); took < 100*time.Millisecond {
		t.Errorf("killed after %v, before the grace was over", took)
	}
	out.ended(deadline)
}

func TestStop_WithoutGraceKills(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	p := start(t, g, shell(nil, "exec sleep 1000"))
	if err := p.Stop(0); err != nil {
		t.Fatal(err)
	}
	if st := waitDone(t, p); st.Signal != syscall.SIGKILL {
		t.Errorf("status is %+v", st)
	}
}

func TestSignal_ReachesOnlyTheProcess(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	out := newOutput(t)
	p := start(t, g, shell(out.w, "sh -c 'trap \"echo no\" USR1; echo up; sleep 1000' & trap 'exit 3' USR1; echo up; wait"))
	out.line()
	out.line()
	if err := p.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if st := waitDone(t, p); st.Code != 3 {
		t.Errorf("status is %+v", st)
	}
	if got := out.ended(deadline); got != "" {
		t.Errorf("output is %q", got)
	}
}

func TestSignal_NeverReachesTheNextProcess(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	a := start(t, g, shell(nil, "exec sleep 1000"))
	l := a.handle.(*link)
	old := l.number
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	waitDone(t, a)
	out := newOutput(t)
	b := start(t, g, shell(out.w, "trap 'exit 9' USR1; echo up; while :; do sleep 1000 & wait; done"))
	out.line()
	if b.handle.(*link) != l {
		t.Fatal("the lane was not used again")
	}
	if err := a.Kill(); err != nil {
		t.Error(err)
	}
	if err := a.Terminate(); err != nil {
		t.Error(err)
	}
	// What was sent just before the end of its process came too late.
	if err := sendPacket(l.raw, appendSignal(nil, old, syscall.SIGKILL, wholeTree), nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if st := waitDone(t, b); st.Code != 9 {
		t.Errorf("status is %+v", st)
	}
}

func TestKill_ReachesTheWholeTree(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	out := newOutput(t)
	procs, err := startEscapes(g, out.w, false)
	if err != nil {
		t.Fatal(err)
	}
	for range procs {
		out.line()
	}
	for _, p := range procs {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	}
	for _, p := range procs {
		if st := waitDone(t, p); !st.TreeEmpty || len(st.Leaked) > 0 || st.Signal != syscall.SIGKILL {
			t.Errorf("status is %+v", st)
		}
	}
	out.ended(deadline)
}

func TestClose_KillsEverything(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	out := newOutput(t)
	procs, err := startEscapes(g, out.w, true)
	if err != nil {
		t.Fatal(err)
	}
	for range procs {
		out.line()
	}
	begun := time.Now()
	errs := make(chan error)
	for range 3 {
		go func() { errs <- g.Close() }()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	t.Logf("closed in %v", time.Since(begun))
	for _, p := range procs {
		select {
		case <-p.Done():
		default:
			t.Fatal("Close returned before Done")
		}
		if st := p.Status(); st.Lost || st.Signal != syscall.SIGKILL {
			t.Errorf("status is %+v", st)
		}
	}
	out.ended(deathWait)
	if _, err := g.Start(&Spec{Path: "/bin/true"}); err == nil || !strings.Contains(err.Error(), ErrClosed.Error()) {
		t.Errorf("Start after Close: %v", err)
	}
}

func TestStatus_IsZeroBeforeDone(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	p := start(t, g, shell(nil, "exec sleep 1000"))
	if st := p.Status(); !slices.Equal(st.Leaked, nil) || st.TreeEmpty || !st.End.IsZero() {
		t.Errorf("status is %+v", st)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	waitDone(t, p)
}
