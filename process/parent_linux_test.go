package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/task"
)

// generation is a process that has children below it, down to depth 0.
type generation struct {
	Depth int
	Deaf  bool // goes on when its parent has died
}

// orphan says when it sees that its parent has died.
var orphan task.Task[generation, int]

func init() { orphan = task.Define("test/orphan", bereave) }

func bereave(_ context.Context, g generation) (int, error) {
	gone := Parent().Done()
	if g.Depth > 0 {
		if err := New(orphan, generation{g.Depth - 1, g.Deaf}).Start(context.Background()); err != nil {
			return 0, err
		}
	}
	fmt.Println("up", g.Depth, os.Getpid())
	<-gone
	fmt.Println("orphaned", g.Depth, Parent().Alive())
	if g.Deaf {
		select {}
	}
	return 0, nil
}

// deafEnv makes the generations below a patriarch deaf.
const deafEnv = "PROCESS_TEST_DEAF"

// patriarch has a child that has a child.
var patriarch = register("patriarch", func() int {
	os.Unsetenv(helperEnv)
	Main(func(ctx context.Context) error {
		if err := New(orphan, generation{1, os.Getenv(deafEnv) != ""}).Start(ctx); err != nil {
			return err
		}
		select {}
	})
	return 99
})

// outsider starts the test binary as a helper, out of the reach of this program's
// guardian.
func outsider(t *testing.T, helper string, env ...string) (head *exec.Cmd, out *lines) {
	t.Helper()
	out = newLines(t)
	head = exec.Command("/proc/self/exe")
	head.Env = append(append(os.Environ(), helperEnv+"="+helper), env...)
	head.Stdout = out.w
	head.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := head.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		head.Process.Kill()
		head.Wait()
	})
	return head, out
}

// startPatriarch returns when both generations below it are up.
func startPatriarch(t *testing.T, env ...string) (head *exec.Cmd, out *lines, child int) {
	t.Helper()
	head, out = outsider(t, patriarch, env...)
	pids := map[int]int{}
	for range 2 {
		var depth, pid int
		if s := out.next(); s == "" {
			t.Fatal("no line")
		} else if _, err := fmt.Sscanf(s, "up %d %d", &depth, &pid); err != nil {
			t.Fatalf("it says %q", s)
		}
		pids[depth] = pid
	}
	return head, out, pids[1]
}

// guardianOf finds the guardian that a process has.
func guardianOf(t *testing.T, pid int) int {
	t.Helper()
	pids := childrenOf(strconv.Itoa(pid))
	if len(pids) != 1 {
		t.Fatalf("process %d has the children %v, want its guardian alone", pid, pids)
	}
	return pids[0]
}

// freeze stops a process, and returns when all its threads have stopped. Only its
// parent could be told of that.
func freeze(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for giveUp := within(t); ; {
		stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		moving := slices.ContainsFunc(stats, func(stat string) bool {
			b, _ := os.ReadFile(stat)
			return !strings.Contains(string(b), ") T ")
		})
		switch {
		case len(stats) > 0 && !moving:
			return
		case giveUp.Err() != nil:
			t.Fatalf("process %d does not stop", pid)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestParent_DeathIsSeenByChildAndGrandchild(t *testing.T) {
	t.Parallel()
	head, out, child := startPatriarch(t)
	// Guardians would be faster: those who should see it would be dead.
	for _, pid := range []int{guardianOf(t, head.Process.Pid), guardianOf(t, child)} {
		t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
		freeze(t, pid)
	}
	killed := time.Now()
	if err := head.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"orphaned 1 false", "orphaned 0 false"} {
		if got := out.next(); got != want {
			t.Fatalf("it says %q, want %q", got, want)
		}
		t.Logf("%s after %v", want, time.Since(killed))
	}
	if d := time.Since(killed); d > 2*time.Second {
		t.Errorf("it took them %v, want at most 2 s", d)
	}
}

func TestParent_DeathLeavesNobody(t *testing.T) {
	t.Parallel()
	head, out, _ := startPatriarch(t, deafEnv+"=1")
	killed := time.Now()
	if err := head.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	head.Wait()
	out.gone(2 * time.Second)
	t.Logf("nobody is left after %v", time.Since(killed))
}

func TestMain_EndsItsGuardianBeforeItself(t *testing.T) {
	t.Parallel()
	head, out := outsider(t, program, playEnv+"=interrupted")
	if got := out.next(); got != "up" {
		t.Fatalf("it says %q", got)
	}
	guardian := guardianOf(t, head.Process.Pid)
	if err := head.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	head.Wait()
	if code := head.ProcessState.ExitCode(); code != 128+15 {
		t.Errorf("exit code %d, want 143", code)
	}
	if err := syscall.Kill(guardian, 0); err != syscall.ESRCH {
		t.Errorf("its guardian %d is still there: %v", guardian, err)
	}
}
