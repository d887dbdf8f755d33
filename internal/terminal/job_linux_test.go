package terminal

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// asJob makes the test binary a run on the terminal that it is started on: it
// prints a line, and goes on until SIGINT.
const asJob = "TERMINAL_TEST_JOB"

func TestMain(m *testing.M) {
	if os.Getenv(asJob) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	src := new(script)
	src.set(halfway())
	d := Open(os.Stderr, src, Options{Rows: 4, Lookup: plainTerm})
	io.WriteString(d.Writer(os.Stdout), "first line\n")
	<-interrupt
	d.Close()
	os.Stdout.WriteString("last line\n")
}

// TestDisplay_IsAJobOfAShell stops, continues and interrupts a run by the keys of
// a terminal, under a shell with job control.
func TestDisplay_IsAJobOfAShell(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	v := openVT(t, 80, 24)
	shell := exec.Command(bash, "--norc", "--noprofile", "--noediting", "-i")
	shell.Env = append(os.Environ(), asJob+"=1", "PS1=$ ", "HISTFILE=", "EXE="+exe, "GORACE=atexit_sleep_ms=0", "GOTRACEBACK=none")
	shell.Stdin, shell.Stdout, shell.Stderr = v.f, v.f, v.f
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	defer shell.Wait()
	defer shell.Process.Kill()
	keys := func(s string) {
		t.Helper()
		if _, err := io.WriteString(v.master, s); err != nil {
			t.Fatal(err)
		}
	}
	frames := func(text string) int { return strings.Count(text, "63%") }
	prompt := func(text string) bool { return strings.HasSuffix(text, "\n$") }

	v.shows("$")
	keys("\"$EXE\"\n")
	v.shows("hash#7")

	keys("\x1a") // ^Z
	text := v.until("the prompt of the shell", func(text string) bool { return strings.Contains(text, "Stopped") && prompt(text) })
	if frames(text) != 0 || !strings.Contains(text, "first line") {
		t.Errorf("stopped, it leaves\n%s", text)
	}
	keys("fg\n")
	text = v.shows("hash#7")
	if frames(text) != 1 || !strings.Contains(text, "$ fg\n") || !strings.Contains(text, "first line") {
		t.Errorf("continued, it shows\n%s", text)
	}

	// In the background it does not touch what others write.
	keys("\x1a")
	v.until("the prompt of the shell", func(text string) bool { return strings.Count(text, "Stopped") == 2 && prompt(text) })
	keys("bg\n")
	v.until("bg", func(text string) bool { return strings.Contains(text, "$ bg\n") && prompt(text) })
	keys("echo in the back''ground\n")
	text = v.shows("\nin the background")
	if frames(text) != 0 {
		t.Errorf("in the background it shows\n%s", text)
	}
	keys("fg\n")
	v.shows("hash#7")

	keys("\x03") // ^C
	text = v.until("the last line", func(text string) bool { return strings.Contains(text, "\nlast line") && prompt(text) })
	if frames(text) != 0 {
		t.Errorf("left behind:\n%s", text)
	}

	// It dies with a frame on the terminal, and a panic writes its stack as SIGQUIT.
	keys("\"$EXE\"\n")
	v.shows("hash#7")
	keys("\x1c") // ^\
	text = v.until("the death", func(text string) bool { return strings.Contains(text, "SIGQUIT: quit") && prompt(text) })
	if !regexp.MustCompile(`and 7 more\n(\^\\)?SIGQUIT: quit`).MatchString(text) {
		t.Errorf("there is\n%s", text)
	}
	keys("exit 0\n")
	if err := shell.Wait(); err != nil {
		t.Errorf("the shell: %v", err)
	}
	text, _ = v.end()
	for _, want := range []string{"first line", "$ fg", "$ bg", "in the background", "last line"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is gone from\n%s", want, text)
		}
	}
}
