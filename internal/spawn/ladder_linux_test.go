package spawn

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	if strings.HasPrefix(os.Getenv(helperEnv), "headless") {
		runtime.LockOSThread() // main keeps the first thread, and can end it
	}
}

// headless is a process that looks like a zombie: its first thread has ended.
var _ = register("headless", func() {
	go func() {
		for {
			if b, err := readProc("/proc/self/stat"); err == nil && strings.Contains(string(b), ") Z ") {
				break
			}
			time.Sleep(time.Millisecond)
		}
		fmt.Println(os.Getpid())
		time.Sleep(time.Hour)
	}()
	unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
})

func TestDone_ComesAfterProcessesWithoutAFirstThreadAreGone(t *testing.T) {
	t.Parallel()
	used.Store("headless", true)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	g := open(t, Options{})
	out, in, in2 := newOutput(t), newOutput(t), newOutput(t)
	// A bystander, so that only what it carries tells whose the orphan is.
	s := shell(nil, "read x <&3; exit 3")
	s.Files = append(s.Files, nil, in2.r)
	bystander := start(t, g, s)
	s = shell(out.w, "(setsid "+self+" &); read x <&3")
	s.Env = append(s.Env, helperEnv+"=headless")
	s.Files = append(s.Files, nil, in.r)
	p := start(t, g, s)
	pid := pidLine(t, out)
	begun := time.Now()
	in.w.Close()
	if st := waitDone(t, p); !st.TreeEmpty || len(st.Leaked) > 0 {
		t.Errorf("status is %+v", st)
	}
	if took := time.Since(begun); took > killWait/2 {
		t.Errorf("took %v", took)
	}
	if alive(pid) {
		t.Errorf("%d is alive after Done", pid)
	}
	in2.w.Close()
	if st := waitDone(t, bystander); st.Code != 3 || len(st.Leaked) > 0 {
		t.Errorf("status of the bystander is %+v", st)
	}
	out.ended(deadline)
}

func TestKill_ReachesTheHiddenBeforeTheirParentsAreGone(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	in := newOutput(t)
	s := shell(nil, "read x <&3; exit 3")
	s.Files = append(s.Files, nil, in.r)
	bystander := start(t, g, s)
	for range 20 {
		out := newOutput(t)
		p := start(t, g, shell(out.w, `i=0; while [ $i -lt 5 ]; do setsid env -i sh -c 'echo up; while :; do sleep 1000; done' & i=$((i+1)); done; wait`))
		for range 5 {
			out.line()
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		if st := waitDone(t, p); !st.TreeEmpty || len(st.Leaked) > 0 {
			t.Fatalf("status is %+v", st)
		}
		out.ended(deadline)
	}
	in.w.Close()
	if st := waitDone(t, bystander); st.Code != 3 || len(st.Leaked) > 0 {
		t.Errorf("status of the bystander is %+v", st)
	}
}

func TestStop_KillsWhatObeyingParentsHaveLeft(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	out, in := newOutput(t), newOutput(t)
	s := shell(nil, "read x <&3; exit 3")
	s.Files = append(s.Files, nil, in.r)
	bystander := start(t, g, s)
	// It has a session of its own, and nothing in its environment; that it belongs to
	// its parent is seen only as long as that lives.
	p := start(t, g, shell(out.w, `setsid env -i sh -c 'trap "" TERM; echo $$; while :; do sleep 1000; done' & wait`))
	pid := pidLine(t, out)
	if err := p.Stop(deadline); err != nil {
		t.Fatal(err)
	}
	if st := waitDone(t, p); !st.TreeEmpty || len(st.Leaked) > 0 {
		t.Errorf("status is %+v", st)
	}
	if alive(pid) {
		t.Errorf("%d is alive after Done", pid)
	}
	in.w.Close()
	if st := waitDone(t, bystander); st.Code != 3 || len(st.Leaked) > 0 {
		t.Errorf("status of the bystander is %+v", st)
	}
	out.ended(deadline)
}

// poor has a guardian that can open only so many files, and looks whether that goes
// unnoticed.
var _ = register("poor", func() {
	r, w, err := os.Pipe() // its end ends the command
	must(err)
	held, hold, err := os.Pipe() // the command's descendants have it
	must(err)
	must(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 60, Max: 60}))
	g, err := Open(Options{Logger: func(msg string, kv ...any) { must(fmt.Errorf("%s %v", msg, kv)) }})
	must(err)
	s := shell(hold, "(setsid sleep 1000 &); read x <&3; exit 5")
	s.Files = append(s.Files, nil, r)
	first, err := g.Start(s)
	must(err)
	r.Close()
	hold.Close()
	// Each of these needs a lane, of which some remain when nothing else can be had.
	var starts sync.WaitGroup
	var refused atomic.Int32
	for range 60 {
		starts.Go(func() {
			_, err := g.Start(&Spec{Path: "/bin/sleep", Argv: []string{"sleep", "1000"}})
			if err == nil {
				return
			}
			check(errors.Is(err, unix.EMFILE), "start: %v", err)
			refused.Add(1)
		})
	}
	starts.Wait()
	check(refused.Load() > 0, "there are descriptors left")
	w.Close()
	<-first.Done()
	st := first.Status()
	check(st.Code == 5 && st.TreeEmpty && len(st.Leaked) == 0, "status %+v", st)
	must(held.SetReadDeadline(time.Now().Add(deathWait)))
	_, err = held.Read(make([]byte, 1))
	check(errors.Is(err, io.EOF), "orphans live: %v", err)
	must(g.Close())
})

func TestDone_IsTrueWithoutDescriptorsToLookWith(t *testing.T) {
	t.Parallel()
	cmd, in := helper(t, "poor", 0)
	defer in.Close()
	if out, err := cmd.Output(); err != nil {
		t.Errorf("%v after %q", err, out)
	}
}

// freezer returns a cgroup in which not even SIGKILL ends a process.
func freezer(t *testing.T) (dir string) {
	t.Helper()
	for _, dir := range ownGroups(t, "multiproc-test-"+newNonce()) {
		if _, err := os.Stat(filepath.Join(dir, "freezer.state")); err == nil {
			return dir
		}
	}
	t.Skip("needs a freezer of cgroup version 1")
	return ""
}

func TestKill_WhatDoesNotEndIsLeaked(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for 15 s")
	}
	dir := freezer(t)
	set := func(file, value string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	g, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, g, shell(nil, "exec sleep 1000"))
	lane := p.handle.(*link)
	set("cgroup.procs", strconv.Itoa(p.PID()))
	set("freezer.state", "FROZEN")
	thaw := func() { _ = os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("THAWED"), 0) }
	defer thaw()
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if st := waitDone(t, p); st.TreeEmpty || !slices.Equal(st.Leaked, []int{p.PID()}) || st.Code != -1 || st.Signal != 0 || st.Success() {
		t.Errorf("status is %+v", st)
	}
	// The lane goes on without it.
	q := start(t, g, shell(nil, "read x; (setsid sleep 1000 &); exit 4"))
	if st := waitDone(t, q); st.Code != 4 || !st.TreeEmpty || len(st.Leaked) > 0 {
		t.Errorf("status of the next one is %+v", st)
	}
	if len(g.current.free) == 0 || g.current.free[0] != lane {
		t.Error("the lane was not used again")
	}
	if !alive(p.PID()) {
		t.Error("the frozen one has ended: there is nothing to test")
	}
	var left *LeakError
	if err := g.Close(); !errors.As(err, &left) || !slices.Equal(left.PIDs, []int{p.PID()}) {
		t.Errorf("Close: %v", err)
	}
	ended := endsOf([]int{p.PID()}, deadline)
	thaw()
	ended.await(time.Now().Add(deadline))
	for alive(p.PID()) {
		time.Sleep(time.Millisecond)
	}
}
