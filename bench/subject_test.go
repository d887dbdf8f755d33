package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) {
	if err := adopt(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// gone looks whether a process has ended.
func gone(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is left", n)
		syscall.Kill(n, syscall.SIGKILL)
	}
}

func TestExecute_LeavesNothing(t *testing.T) {
	t.Parallel()
	s := &Stand{dir: t.TempDir()}
	out, _, err := s.execute(t.Context(), "a line\n", []string{"sh", "-c", "cat >&2; sleep 600 >/dev/null 2>&1 & echo $!; touch file"})
	if err != nil {
		t.Fatal(err)
	}
	gone(t, string(out))
	if left, _ := os.ReadDir(s.dir); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

func TestExecute_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &Stand{dir: filepath.Join(dir, "stand")}
	if err := os.Mkdir(s.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, _, err := s.execute(ctx, "", []string{"sh", "-c", `trap "" TERM; sleep 600 & echo $! >"$1"; wait; wait`, "sh", pipe})
		ended <- err
	}()
	pid, err := os.ReadFile(pipe) // which waits for the script
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("it has ended well")
	}
	gone(t, string(pid))
	if left, _ := os.ReadDir(s.dir); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

func TestExecute_TellsWhyASubjectHasFailed(t *testing.T) {
	t.Parallel()
	s := &Stand{dir: t.TempDir()}
	_, _, err := s.execute(t.Context(), "", []string{"sh", "-c", "echo first >&2; echo the cause >&2; exit 3"})
	if err == nil || err.Error() != "exit status 3: the cause" {
		t.Errorf("%v", err)
	}
}

func TestMeasure_PassesByWhatIsMissing(t *testing.T) {
	t.Parallel()
	works := []*Work{{ID: "w", Figures: catalogue()[0].Figures, Subjects: []*Subject{
		{ID: "absent", Role: Peer, Tool: "no-such-tool", Run: reported("no-such-tool")},
		{ID: "never", Role: Ours, Never: "it cannot"},
		{ID: "broken", Role: Peer, Run: reported("false")},
		{ID: "well", Role: Peer, Run: reported("sh", "-c", `echo "{\"p50\": $0}"`)},
	}}}
	m := measurement{Works: works, Rounds: 2}
	var progress bytes.Buffer
	s := &Stand{dir: t.TempDir()}
	works[0].Subjects[3].Short, works[0].Subjects[3].Full = 1, 7
	if err := m.measure(t.Context(), s, false, &progress); err != nil {
		t.Fatal(err)
	}
	of := works[0].Subjects
	if of[0].missing != "not installed" || of[1].missing != "it cannot" || of[2].failed == nil {
		t.Errorf("%q, %q, %v", of[0].missing, of[1].missing, of[2].failed)
	}
	if got := of[3].samples["p50"]; len(got) != 2 || got[0] != 7 {
		t.Errorf("samples %v: want those of the rounds, and none of the warm-up", got)
	}
	if err := m.failures(); err == nil || !strings.HasPrefix(err.Error(), "w/broken: ") || strings.Contains(err.Error(), "absent") {
		t.Errorf("failures: %v", err)
	}
}

func TestMeasure_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stop"))
	m := measurement{Works: []*Work{{ID: "w", Subjects: []*Subject{{ID: "s", Run: reported("sleep")}}}}, Rounds: 1}
	if err := m.measure(ctx, &Stand{dir: t.TempDir()}, false, &bytes.Buffer{}); err == nil {
		t.Error("it has gone on")
	}
}

func TestCatalogue_GoalsNameSubjects(t *testing.T) {
	t.Parallel()
	names := map[string]bool{"": true}
	for _, w := range catalogue() {
		names[w.ID+"/peers"] = true
		for _, s := range w.Subjects {
			if names[w.ID+"/"+s.ID] {
				t.Errorf("two subjects are %s/%s", w.ID, s.ID)
			}
			names[w.ID+"/"+s.ID] = true
			if s.Never == "" && (s.Full < 1 || s.Short < 1 || s.Run == nil) {
				t.Errorf("%s/%s measures nothing", w.ID, s.ID)
			}
		}
	}
	for _, w := range catalogue() {
		for _, g := range w.Goals {
			if !names[g.Subject] || !names[g.Against] {
				t.Errorf("%s: no subject %s or %s", g.Text, g.Subject, g.Against)
			}
		}
	}
	if got := choose(catalogue(), regexp.MustCompile("^lock/lock$")); len(got) != 1 || len(got[0].Subjects) != 1 {
		t.Errorf("chosen are %v", got)
	}
}
