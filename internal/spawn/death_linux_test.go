package spawn

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// deathWait is how long anything may live on after the supervisor or the
// guardian was killed.
const deathWait = 2 * time.Second

// escapes are the ways in which commands get out of reach of a kill of their
// process or group. Each prints "up" when it is as hard to catch as it gets,
// and keeps its output open in every process.
var escapes = map[string]string{
	"plain":          "echo up; exec sleep 1000",
	"background":     "sleep 1000 & echo up; wait",
	"setsid":         "setsid sh -c 'echo up; exec sleep 1000' & wait",
	"double fork":    "(setsid sh -c '(setsid sh -c \"echo up; exec sleep 1000\" &)' &); exec sleep 1000",
	"pipeline":       "sleep 1000 | (echo up >&3; exec sleep 1000) | sleep 1000",
	"pipeline held":  "(echo up >&3; exec sleep 1000) | cat",
	"ignores":        "trap '' TERM HUP INT QUIT; echo up; sleep 1000; sleep 1000",
	"stopped":        "echo up; kill -STOP $$; exec sleep 1000",
	"stopped orphan": "(setsid sh -c 'echo up; kill -STOP $$; sleep 1000' &); exec sleep 1000",
	"own group":      "timeout 1000 sleep 1000 & timeout 1000 sh -c 'echo up; exec sleep 1000' & wait",
	"many":           "i=0; while [ $i -lt 50 ]; do (setsid sleep 1000 &); i=$((i+1)); done; echo up; exec sleep 1000",
}

// hidden leave nothing by which they could be attributed to anybody. Only a
// subreaper can find them.
var hidden = []string{
	"setsid env -i PATH=$PATH sh -c 'echo up; exec sleep 1000' & wait",
	"(setsid env -i PATH=$PATH sh -c 'echo up; exec sleep 1000' &); exec sleep 1000",
}

// startEscapes starts them all with w as their descriptors 1 to 3.
func startEscapes(g *Guardian, w *os.File, exclusive bool) ([]*Process, error) {
	var procs []*Process
	var scripts []string
	for _, script := range escapes {
		scripts = append(scripts, script)
	}
	if exclusive {
		scripts = append(scripts, hidden...)
	}
	for _, script := range scripts {
		s := shell(w, script)
		s.Files = []*os.File{nil, w, w, w}
		p, err := g.Start(s)
		if err != nil {
			return procs, err
		}
		procs = append(procs, p)
	}
	return procs, nil
}

func TestKillOfSupervisor_LeavesNothing(t *testing.T) {
	t.Parallel()
	eachUser(t, func(t *testing.T, uid uint32) {
		out := newOutput(t)
		cmd, in := helper(t, "supervisor", uid)
		defer in.Close()
		cmd.ExtraFiles = []*os.File{out.w}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pids := readEscapes(out, len(escapes)+len(hidden))
		killed := time.Now()
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		out.ended(deathWait)
		t.Logf("gone after %v", time.Since(killed))
		_ = cmd.Wait()
		for _, pid := range pids {
			endsOf([]int{pid}, deathWait).await(killed.Add(deathWait))
			if alive(pid) {
				t.Errorf("%d is alive", pid)
			}
		}
	})
}

// readEscapes reads the "up" of each and the pids that the helper printed.
func readEscapes(out *output, n int) (pids []int) {
	out.t.Helper()
	ups, all := 0, false
	for ups < n || !all {
		switch line := out.line(); {
		case line == "up":
			ups++
		case line == "all":
			all = true
		default:
			var pid int
			if _, err := fmt.Sscanf(line, "pid %d", &pid); err != nil {
				out.t.Fatalf("unexpected line %q", line)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

var _ = register("supervisor", func() {
	unix.CloseOnExec(3)
	w := os.NewFile(3, "output")
	g, err := Open(Options{Exclusive: true})
	must(err)
	procs, err := startEscapes(g, w, true)
	must(err)
	fmt.Fprintf(w, "pid %d\n", g.current.pid)
	for _, p := range procs {
		fmt.Fprintf(w, "pid %d\n", p.PID())
	}
	fmt.Fprintln(w, "all")
	os.Stdin.Read(make([]byte, 1))
})

func TestExitOfSupervisor_LeavesNothing(t *testing.T) {
	t.Parallel()
	out := newOutput(t)
	cmd, in := helper(t, "supervisor", 0)
	cmd.ExtraFiles = []*os.File{out.w}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	readEscapes(out, len(escapes)+len(hidden))
	in.Close() // it returns without Close
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	out.ended(deathWait)
}

func TestKillOfGuardian_EndsProcessesAsLostAndGoesOn(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"exclusive", "library"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			eachUser(t, func(t *testing.T, uid uint32) {
				cmd, in := helper(t, "lose guardian", uid, "MODE="+mode)
				defer in.Close()
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%v after %q", err, out)
				}
				t.Logf("%s", out)
			})
		})
	}
}

var _ = register("lose guardian", func() {
	exclusive := os.Getenv("MODE") == "exclusive"
	logged := make(chan string, 10)
	g, err := Open(Options{Exclusive: exclusive, Logger: func(msg string, kv ...any) { logged <- fmt.Sprint(msg, kv) }})
	must(err)
	// In a library, a child of the program itself must not be harmed.
	var foreign *os.Process
	if !exclusive {
		foreign, err = os.StartProcess("/bin/sleep", []string{"sleep", "1000"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}})
		must(err)
	}
	for round := range 3 {
		r, w, err := os.Pipe()
		must(err)
		procs, err := startEscapes(g, w, exclusive)
		must(err)
		b := bufio.NewReader(r)
		for range procs {
			line, err := b.ReadString('\n')
			must(err)
			check(line == "up\n", "output is %q", line)
		}
		old := g.current.pid
		must(syscall.Kill(old, syscall.SIGKILL))
		killed := time.Now()
		w.Close()
		must(r.SetReadDeadline(killed.Add(deathWait)))
		_, err = b.ReadByte()
		check(err != nil && !errors.Is(err, os.ErrDeadlineExceeded), "round %d: not gone in time: %v", round, err)
		took := time.Since(killed)
		for i, p := range procs {
			select {
			case <-p.Done():
			case <-time.After(deadline):
				check(false, "process %d is not done", i)
			}
			st := p.Status()
			check(st.Lost && st.Code == -1 && st.TreeEmpty && !st.Success(), "status is %+v", st)
			must(p.Kill())
		}
		p, err := g.Start(shell(nil, "exit 7"))
		must(err)
		<-p.Done()
		check(p.Status().Code == 7, "after the loss: %+v", p.Status())
		check(g.current.pid != old, "the guardian is the old one")
		check(strings.Contains(<-logged, "lost"), "nothing was logged")
		r.Close()
		fmt.Println("gone after", took, "done after", time.Since(killed))
	}
	if foreign != nil {
		check(alive(foreign.Pid), "a foreign child was killed")
		must(foreign.Kill())
		_, err = foreign.Wait()
		must(err)
	}
	must(g.Close())
	left := childrenOf(nil, os.Getpid())
	check(len(left) == 0, "children left: %v", left)
})

func TestStart_DuringLossIsLostOrSucceeds(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	stop := make(chan struct{})
	results := make(chan error)
	for range 4 {
		go func() {
			var unexpected error
			for unexpected == nil {
				select {
				case <-stop:
					results <- nil
					return
				default:
				}
				p, err := g.Start(&Spec{Path: "/bin/true"})
				if err != nil {
					if !errors.Is(err, ErrLost) {
						unexpected = err
					}
					continue
				}
				<-p.Done()
				if st := p.Status(); !st.Lost && !st.Success() {
					unexpected = fmt.Errorf("status %+v", st)
				}
			}
			results <- unexpected
		}()
	}
	for range 5 {
		in, err := g.instance()
		if err != nil {
			t.Fatal(err)
		}
		waitDone(t, start(t, g, &Spec{Path: "/bin/true"}))
		in.kill()
		<-in.dead
	}
	close(stop)
	for range 4 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}
