package worker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

func init() {
	if boot.Role == boot.Worker {
		fmt.Print("printed by init\n")
	}
}

var (
	_ = task.Define("test.print", func(_ context.Context, s string) (struct{}, error) {
		fmt.Print(s)
		fmt.Fprint(os.Stderr, strings.ToUpper(s))
		return struct{}{}, nil
	})
	_ = task.Define("test.exit", func(_ context.Context, code int) (struct{}, error) {
		os.Exit(code)
		return struct{}{}, nil
	})
	_ = task.Define("test.litter", func(_ context.Context, bytes int) (struct{}, error) {
		debug.SetGCPercent(-1)
		for range bytes >> 12 {
			litter = make([]byte, 1<<12)
			litter[0] = 1
		}
		litter = nil
		return struct{}{}, nil
	})
	_ = task.Define("test.environ", func(context.Context, struct{}) (string, error) {
		return os.Getenv(boot.WorkerMarker), nil
	})
)

var litter []byte

// child is a worker process, and its peer.
type child struct {
	*peer
	cmd            *exec.Cmd
	stdout, stderr *os.File
}

// spawnChild starts the test binary as a worker, as a supervisor would.
func spawnChild(t testing.TB, mode string) *child {
	t.Helper()
	fd, err := unix.MemfdCreate("page", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	memfd := os.NewFile(uintptr(fd), "page")
	defer memfd.Close()
	if err := memfd.Truncate(ipc.PageSize); err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(fd, 0, ipc.PageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	page, err := ipc.FormatPage(mem)
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(os.Args[0])}
	c.stdout, c.stderr = appended(t), appended(t)
	w, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stderr = c.stderr
	c.cmd.ExtraFiles = []*os.File{c.stdout, memfd}
	c.cmd.Env = append(os.Environ(), boot.WorkerMarker+"=out=3 page=4", childMode+"="+mode)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.peer = &peer{t: t, w: w, r: ipc.NewReader(struct{ io.Reader }{r}), in: r, page: page, hello: newHello()}
	t.Cleanup(func() {
		c.cmd.Process.Kill()
		c.cmd.Wait()
		unix.Munmap(mem)
	})
	return c
}

func appended(t testing.TB) *os.File {
	t.Helper()
	f, err := os.OpenFile(t.TempDir()+"/capture", os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func content(t testing.TB, f *os.File) string {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (c *child) exitCode() int {
	c.cmd.Wait()
	return c.cmd.ProcessState.ExitCode()
}

func TestChild_PrintsAreCapturedAndAttributed(t *testing.T) {
	t.Parallel()
	c := spawnChild(t, "main")
	c.handshake()
	if c.stray.Len() > 0 || !c.ready.Has(ipc.CapOffsets) {
		t.Errorf("strays %q, capabilities %v", c.stray.String(), c.ready.Capabilities)
	}
	atReady := content(t, c.stdout)
	if atReady != "printed by init\n" {
		t.Errorf("captured before the first job: %q", atReady)
	}
	c.send(job1(1, "echo", 1), job1(2, "test.print", "abc"), job1(3, "echo", 2), job1(4, "test.print", "de"))
	base := uint64(len(atReady))
	for i, want := range []struct{ has, out, err uint64 }{{}, {1, base + 3, 3}, {}, {1, base + 5, 5}} {
		m := c.expect(ipc.KindResult)
		if m.ID != uint64(i+1) || m.HasOffsets != (want.has == 1) || m.StdoutEnd != want.out || m.StderrEnd != want.err {
			t.Errorf("result %d: offsets %v %d %d, want %v", m.ID, m.HasOffsets, m.StdoutEnd, m.StderrEnd, want)
		}
	}
	c.send(job1(5, "test.environ", struct{}{}), ipc.AppendStop(nil))
	if got := c.result(5, ipc.StatusOK); !bytes.Equal(got, encoded("")) {
		t.Errorf("a job sees the marker: %q", got)
	}
	c.expectEOF()
	if code := c.exitCode(); code != exitOK {
		t.Errorf("exit code %d, want %d", code, exitOK)
	}
	if out, err := content(t, c.stdout), content(t, c.stderr); out != atReady+"abcde" || err != "ABCDE" {
		t.Errorf("captured %q and %q", out, err)
	}
}

func TestChild_GivesMemoryBackWhenItHasNothingToDo(t *testing.T) {
	t.Parallel()
	const size = 16 << 20
	c := spawnChild(t, "main")
	c.handshake()
	resident := func() int {
		var pages int
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.cmd.Process.Pid))
		if err == nil {
			_, err = fmt.Sscan(string(text), new(int), &pages)
		}
		if err != nil {
			t.Fatal(err)
		}
		return pages * os.Getpagesize()
	}
	c.send(job1(1, "test.litter", size))
	c.result(1, ipc.StatusOK)
	before := resident()
	if before < size {
		t.Fatalf("%d bytes are resident after %d of garbage", before, size)
	}
	for begun := time.Now(); resident() > before-size/2; time.Sleep(10 * time.Millisecond) { // no event tells
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("of %d bytes %d are still resident", before, resident())
		}
	}
	c.send(job1(2, "echo", 1), ipc.AppendStop(nil))
	c.result(2, ipc.StatusOK)
	c.expectEOF()
}

func TestChild_ExitInATaskIsJustThat(t *testing.T) {
	t.Parallel()
	c := spawnChild(t, "")
	c.handshake()
	c.send(job1(1, "echo", 1), job1(2, "test.exit", 9), job1(3, "echo", 1))
	if code := c.drain(0); code != 1 || c.page.Started(0) != 2 {
		t.Errorf("answers up to job %d, started %d, want 1 and 2", code, c.page.Started(0))
	}
	if code := c.exitCode(); code != 9 {
		t.Errorf("exit code %d, want 9", code)
	}
}

// drain reads to the end of the stream, in the pipe and in the ring, and returns
// the id of the last result, which must be one of a row without gaps.
func (c *child) drain(last uint64) uint64 {
	c.t.Helper()
	ringRead := false
	for {
		body, err := c.r.Next()
		if err != nil {
			if ringRead {
				if err != io.EOF {
					c.t.Errorf("after the ring: %v", err)
				}
				return last
			}
			ringRead = true
			c.r.Append(c.page.Rest(c.r.Total()))
			continue
		}
		m, err := ipc.Parse(body)
		if err != nil {
			c.t.Fatal(err)
		}
		if m.Kind != ipc.KindResult {
			continue
		}
		if last++; m.ID != last || m.Status != ipc.StatusOK {
			c.t.Fatalf("result of job %d, %s, want %d", m.ID, m.Status, last)
		}
	}
}

func TestChild_SIGKILLLosesNoFinishedResult(t *testing.T) {
	t.Parallel()
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		c := spawnChild(t, "")
		c.hello.Credit = 0
		c.handshake()
		killed := make(chan struct{})
		go func() {
			defer close(killed)
			payload := encoded(strings.Repeat("x", 64))
			kill := uint64(2000 + rand.IntN(30000))
			var buf []byte
			for id := uint64(1); ; id++ {
				buf = ipc.AppendFrame(buf, ipc.AppendJob(nil, id, "echo", 1, 0, "", "", payload))
				if id == kill {
					c.cmd.Process.Kill()
				}
				if len(buf) > 16<<10 {
					if _, err := c.w.Write(buf); err != nil {
						return // it is dead
					}
					buf = buf[:0]
				}
			}
		}()
		last := c.drain(0)
		<-killed
		c.cmd.Wait()
		if ws := c.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGKILL {
			t.Fatalf("ended by %v; stderr %q", c.cmd.ProcessState, content(t, c.stderr))
		}
		if started := c.page.Started(0); started != last && started != last+1 {
			t.Errorf("started job %d, but %d results came", started, last)
		}
	}
}

func TestChild_SIGTERMAndSIGINT(t *testing.T) {
	t.Parallel()
	c := spawnChild(t, "")
	c.handshake()
	c.cmd.Process.Signal(syscall.SIGINT)
	c.send(job1(1, "echo", 1))
	c.result(1, ipc.StatusOK)
	c.send(job1(2, "test.limit", struct{}{})) // fails: it has no deadline
	c.result(2, ipc.StatusFailed)
	c.cmd.Process.Signal(syscall.SIGTERM)
	c.expectEOF()
	if code := c.exitCode(); code != exitOK {
		t.Errorf("exit code %d, want %d", code, exitOK)
	}
}

func TestChild_WithoutMainKnowsThatItIsOne(t *testing.T) {
	t.Parallel()
	c := spawnChild(t, "no main")
	if code := c.exitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got, want := content(t, c.stdout), "role \"worker\" entered false\n"; !strings.HasSuffix(got, want) {
		t.Errorf("captured %q, want %q", got, want)
	}
}

func TestChild_BadFrameExits3(t *testing.T) {
	t.Parallel()
	c := spawnChild(t, "")
	c.handshake()
	c.send([]byte{0xc1})
	if code := c.exitCode(); code != exitProtocol {
		t.Errorf("exit code %d, want %d", code, exitProtocol)
	}
	if got := content(t, c.stderr); !strings.Contains(got, "protocol violation") {
		t.Errorf("stderr %q", got)
	}
}
