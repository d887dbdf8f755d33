package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

var begin = time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)

func openStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func testInfo(id string) Info {
	return Info{
		ID: id, Name: "thumbnails", Identity: "file:/x/job.yaml", File: "job.yaml", Dir: "/x", Argv: []string{"supervisor", "run"},
		Begin: begin, Workers: 4, Version: "v1.2.3", Jobs: []JobInfo{{"hash", "task", ""}, {"resize", "run", "digest"}},
	}
}

func create(t testing.TB, s *Store, info Info) *Run {
	t.Helper()
	r, err := s.Create(info)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func commit(t testing.TB, r *Run, b *Batch) {
	t.Helper()
	if err := r.Commit(b); err != nil {
		t.Fatal(err)
	}
}

func closeRun(t testing.TB, r *Run) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, s *Store, id string) *View {
	t.Helper()
	v, err := s.View(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

func rowsOf(t testing.TB, v *View, f Filter) []Row {
	t.Helper()
	var rows []Row
	if err := v.Each(f, func(r *Row) error { rows = append(rows, *r); return nil }); err != nil {
		t.Fatal(err)
	}
	return rows
}

func keyFor(n int) (k [16]byte) {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	copy(k[:], sum[:])
	return k
}

// okRow is the row of the instance n, as a task has it.
func okRow(n int) Row {
	return Row{
		Index: int64(n), Key: keyFor(n), Outcome: "ok", ExitCode: -1, Attempt: 1, Slot: 1 + n%4, Worker: "worker-3", PID: 4242,
		Start: begin.Add(time.Duration(n) * time.Microsecond), Wall: 1234 * time.Microsecond,
	}
}

func outputOf(t testing.TB, read func() (stdout, stderr *io.SectionReader, err error)) (string, string) {
	t.Helper()
	stdout, stderr, err := read()
	if err != nil {
		t.Fatal(err)
	}
	var b [2][]byte
	for i, r := range []io.Reader{stdout, stderr} {
		if b[i], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return string(b[0]), string(b[1])
}

func TestRun_KeepsEverythingOfARow(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	r := create(t, s, testInfo("r1"))
	full := Row{
		Job: 1, Index: 7, Key: keyFor(7), Outcome: "limit", Which: "memory", ExitCode: 3, Signal: 9, Attempt: 3, Slot: 2,
		Worker: "worker-1", PID: 77, Start: begin.Add(90 * time.Minute), Wall: time.Second, CPU: 20 * time.Millisecond, Peak: 1 << 40, PeakSource: "cgroup v1",
		Limit: 100, Observed: 1 << 50, EnforcedBy: "watchdog",
		Items: 12, Item: "a.jpg", Evidence: "memory.max", Result: []byte{0xa1, 'x'}, Flags: FirstFlag << 3,
	}
	plain := Row{Index: -1, Outcome: "skipped", ExitCode: -1}
	hostile := Row{Index: 0, Outcome: "ok", Item: "a\x00b\xff", ExitCode: 0}
	long := Row{Index: 1, Outcome: "failed", Item: strings.Repeat("x", MaxItem-1) + "é", Evidence: strings.Repeat("e", MaxEvidence+1),
		Result: make([]byte, MaxResult+1)}
	var b Batch
	b.Add(&full, []byte("out"), []byte("error"))
	b.Add(&plain, nil, nil)
	b.AddContent(&hostile, Bytes("content"), nil)
	b.Add(&long, nil, nil)
	commit(t, r, &b)

	v := view(t, s, "r1")
	got := rowsOf(t, v, Filter{})
	full.Row, full.Output = 1, b.Ref(0)
	plain.Row = 2
	hostile.Row, hostile.Output = 3, b.Ref(2)
	long.Row, long.Item, long.Evidence = 4, long.Item[:MaxItem-1], long.Evidence[:MaxEvidence]
	long.Result, long.ResultBytes, long.Flags = nil, MaxResult+1, ItemCut|EvidenceCut
	want := []Row{full, plain, hostile, long}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); d != "" {
		t.Error(d)
	}
	stdout, stderr := outputOf(t, func() (*io.SectionReader, *io.SectionReader, error) { return v.Output(&got[0]) })
	if stdout != "out" || stderr != "error" {
		t.Errorf("outputs are %q and %q", stdout, stderr)
	}
	if s, _ := outputOf(t, func() (*io.SectionReader, *io.SectionReader, error) { return v.Output(&got[2]) }); s != "content" {
		t.Errorf("output is %q", s)
	}
	if s := v.Label(&got[0]) + " " + v.Label(&got[1]); s != "resize#7 hash" {
		t.Errorf("labels are %s", s)
	}
}

func TestView_FiltersRows(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	r := create(t, s, testInfo("r1"))
	var b Batch
	for i := range 1500 {
		row := okRow(i)
		row.Job = i % 2
		if i%100 == 3 {
			row.Outcome = "failed"
		}
		if i == 5 {
			row.Outcome = "timeout"
		}
		b.Add(&row, nil, nil)
	}
	commit(t, r, &b)
	v := view(t, s, "r1")
	index := int64(5)
	for _, c := range []struct {
		name  string
		f     Filter
		n     int
		first int64
	}{
		{"all", Filter{}, 1500, 1},
		{"job", Filter{Job: "resize"}, 750, 2},
		{"failed", Filter{Failed: true}, 16, 4},
		{"outcome", Filter{Outcomes: []string{"timeout", "crashed"}}, 1, 6},
		{"index", Filter{Index: &index}, 1, 6},
		{"after", Filter{AfterRow: 1400}, 100, 1401},
		{"limit", Filter{Limit: 700, AfterRow: 1}, 700, 2},
		{"behind the end", Filter{AfterRow: 1500}, 0, 0},
	} {
		rows := rowsOf(t, v, c.f)
		if len(rows) != c.n || c.n > 0 && rows[0].Row != c.first {
			t.Errorf("%s: %d rows, want %d from %d", c.name, len(rows), c.n, c.first)
		}
	}
	if err := v.Each(Filter{Job: "none"}, nil); err == nil || !strings.Contains(err.Error(), "has no job none") {
		t.Errorf("error is %v", err)
	}
	stop := errors.New("stop")
	if err := v.Each(Filter{}, func(*Row) error { return stop }); err != stop {
		t.Errorf("error is %v", err)
	}
	n, err := v.Count()
	if d := cmp.Diff(map[string]int64{"ok": 1484, "failed": 15, "timeout": 1}, n); d != "" || err != nil {
		t.Error(d, err)
	}
}

func TestView_FollowsARunThatCommits(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	r := create(t, s, testInfo("r1"))
	v := view(t, s, "r1")
	var after int64
	last := int64(-1)
	for i := range 20 {
		var b Batch
		row := okRow(i)
		b.Add(&row, nil, nil)
		commit(t, r, &b)
		version, err := v.Version()
		if err != nil || version == last {
			t.Fatalf("version is %d after %d, %v", version, last, err)
		}
		if again, _ := v.Version(); again != version {
			t.Fatalf("version went from %d to %d by itself", version, again)
		}
		last = version
		rows := rowsOf(t, v, Filter{AfterRow: after})
		if len(rows) != 1 || rows[0].Index != int64(i) {
			t.Fatalf("rows behind %d are %v", after, rows)
		}
		after = rows[0].Row
	}
}

// A run has its name before it is described. Who looks at that moment waits.
func TestView_WaitsForARunThatBegins(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	for i := range 20 {
		id := fmt.Sprintf("r%d", i)
		made := make(chan struct{})
		go func() {
			defer close(made)
			create(t, s, testInfo(id))
		}()
		for {
			v, err := s.View(id)
			if err == nil {
				if len(v.Info().Jobs) != 2 {
					t.Errorf("%s: the jobs are %v", id, v.Info().Jobs)
				}
				v.Close()
				break
			}
			if !errors.Is(err, ErrNotFound) {
				t.Fatalf("%s: %v", id, err)
			}
		}
		<-made
	}
}

// A reader in the midst of a page must not keep a run from committing, and sees
// whole commits.
func TestView_ReadsWhileARunWrites(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	r := create(t, s, testInfo("r1"))
	const perCommit, commits = 100, 60
	done := make(chan error, 1)
	go func() {
		for i := range commits {
			var b Batch
			for k := range perCommit {
				row := okRow(i*perCommit + k)
				b.Add(&row, []byte("x"), nil)
			}
			if err := r.Commit(&b); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	v := view(t, s, "r1")
	for ended := false; !ended; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			ended = true
		default:
		}
		n, err := v.Count()
		if err != nil {
			t.Fatal(err)
		}
		if n["ok"]%perCommit != 0 {
			t.Fatalf("saw %d rows, not whole commits", n["ok"])
		}
		if ended && n["ok"] != perCommit*commits {
			t.Fatalf("saw %d rows in the end", n["ok"])
		}
	}
}

func TestRun_KeepsAttempts(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	r := create(t, s, testInfo("r1"))
	a := Attempt{Job: 1, Index: 3, Attempt: 1, Outcome: "crashed", Which: "oom", ExitCode: -1, Signal: 9, Worker: "w", PID: 5, Limit: 3, Observed: 4, EnforcedBy: "rlimit",
		Start: begin.Add(time.Second), Wall: time.Minute, Evidence: "killed"}
	second := a
	second.Attempt = 2
	var b Batch
	b.AddAttempt(&second)
	b.AddAttempt(&a)
	commit(t, r, &b)
	got, err := view(t, s, "r1").Attempts(&Row{Job: 1, Index: 3})
	if d := cmp.Diff([]Attempt{a, second}, got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); d != "" || err != nil {
		t.Error(d, err)
	}
}

func TestStore_ListsRunsLatestFirst(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	for i, id := range []string{"a1", "a2", "b1"} {
		info := testInfo(id)
		info.Begin = begin.Add(time.Duration(i) * time.Hour)
		if i == 1 {
			info.Identity = "other"
		}
		r := create(t, s, info)
		switch id {
		case "a1":
			if err := r.End(End{Time: begin.Add(time.Minute), ExitCode: 1, Totals: []byte(`{"jobs":3}`)}); err != nil {
				t.Fatal(err)
			}
			closeRun(t, r)
		case "a2":
			closeRun(t, r)
		}
	}
	list, err := s.Runs()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range list {
		got = append(got, fmt.Sprintf("%s %s %v %s", i.ID, i.State, i.Broken, i.End.Totals))
		if i.Bytes == 0 || i.Argv[1] != "run" || i.Workers != 4 || i.Version != "v1.2.3" {
			t.Errorf("info is %+v", i)
		}
	}
	if d := cmp.Diff([]string{"b1 running <nil> ", "a2 killed <nil> ", `a1 ended <nil> {"jobs":3}`}, got); d != "" {
		t.Error(d)
	}
	for name, want := range map[string]string{"": "b1", "last": "b1", "a1": "a1", "b": "b1"} {
		if i, err := s.Find(name); err != nil || i.ID != want {
			t.Errorf("find %q: %s, %v", name, i.ID, err)
		}
	}
	if _, err := s.Find("c"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error is %v", err)
	}
	if _, err := s.Find("a"); err == nil || !strings.Contains(err.Error(), "2 runs begin like that, such as a1 and a2") {
		t.Errorf("error is %v", err)
	}
	if i, err := s.Latest("other"); err != nil || i.ID != "a2" {
		t.Errorf("latest is %s, %v", i.ID, err)
	}
	if _, err := s.Latest("none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error is %v", err)
	}
}

func TestStore_PruneKeepsTheLatestAndThoseInUse(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	for i := range 5 {
		info := testInfo(fmt.Sprint("r", i))
		info.Begin = begin.Add(time.Duration(i) * time.Hour)
		if r := create(t, s, info); i != 0 {
			closeRun(t, r)
		}
	}
	past, err := s.Resume("r1")
	if err != nil {
		t.Fatal(err)
	}
	defer past.Close()
	stale := filepath.Join(s.Dir(), "runs", building+"x")
	fresh := filepath.Join(s.Dir(), "runs", building+"y")
	for _, dir := range []string{stale, fresh, filepath.Join(s.Dir(), "runs", removing+"z")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * abandoned)
	if err := os.Chtimes(stale, old, old); err != nil {
		t.Fatal(err)
	}
	removed, err := s.Prune(2)
	if d := cmp.Diff([]string{"r2"}, removed); d != "" || err != nil {
		t.Error(d, err)
	}
	names, err := s.names()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, n := range names {
		got[n] = true
	}
	if d := cmp.Diff(map[string]bool{"r0": true, "r1": true, "r3": true, "r4": true, building + "y": true}, got); d != "" {
		t.Error(d)
	}
	if err := s.Remove("r0"); !errors.Is(err, ErrInUse) {
		t.Errorf("error is %v", err)
	}
	if err := s.Remove("r9"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error is %v", err)
	}
}

func TestStore_CreateRefusesNamesAndRunsThatExist(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	for _, id := range []string{"", ".", "..", "../x", "a/b", ".hidden", "-x", "a\x00", strings.Repeat("x", 200), "é"} {
		if _, err := s.Create(testInfo(id)); err == nil {
			t.Errorf("%q became a run", id)
		}
	}
	r := create(t, s, testInfo("r1"))
	closeRun(t, r)
	if _, err := s.Create(testInfo("r1")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error is %v", err)
	}
	if i, err := s.Find("r1"); err != nil || i.Broken != nil {
		t.Errorf("the run that was there is %v, %v", i, err)
	}
	if _, err := Look(filepath.Join(s.Dir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

func TestStore_PathsAreNoParameters(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a?mode=memory", "a#b", "a%20b", "a b", "a&b;c"} {
		dir := filepath.Join(t.TempDir(), name)
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		closeRun(t, create(t, s, testInfo("r1")))
		if _, err := os.Stat(filepath.Join(dir, "runs", "r1", "journal.db")); err != nil {
			t.Error(err)
		}
		if i, err := s.Find("r1"); err != nil || i.Broken != nil {
			t.Errorf("%s: %v, %v", name, i.Broken, err)
		}
		s.Close()
	}
}

func TestBatch_IsUsedAgainWithoutAllocations(t *testing.T) {
	var b Batch
	row := okRow(1)
	row.Result = []byte("result")
	out := bytes.Repeat([]byte("x"), 100)
	fill := func() {
		b.Reset()
		for range 100 {
			b.Add(&row, out, nil)
		}
	}
	fill()
	if n := testing.AllocsPerRun(20, fill); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Who collects a batch bounds it by its Bytes.
func TestBatch_CountsWhatItKeeps(t *testing.T) {
	t.Parallel()
	if got, want := rowBytes, int(unsafe.Sizeof(pending{})); got < want {
		t.Errorf("a record counts %d bytes and takes %d", got, want)
	}
	if got, want := attemptBytes, int(unsafe.Sizeof(Attempt{})); got < want {
		t.Errorf("an attempt counts %d bytes and takes %d", got, want)
	}
	if got, want := carryBytes, int(unsafe.Sizeof(carried{})); got < want {
		t.Errorf("what is carried counts %d bytes and takes %d", got, want)
	}
	var b Batch
	row := okRow(1)
	row.Item, row.Evidence, row.Result = strings.Repeat("i", 100), strings.Repeat("e", 1000), make([]byte, 10)
	b.Add(&row, make([]byte, 10_000), make([]byte, 100_000))
	b.AddAttempt(&Attempt{Evidence: strings.Repeat("e", 20_000)})
	if got, want := b.Bytes(), 131_110+rowBytes+attemptBytes; got != want {
		t.Errorf("the batch counts %d bytes, want %d", got, want)
	}
	if b.Reset(); b.Bytes() != 0 {
		t.Errorf("an empty batch counts %d bytes", b.Bytes())
	}
}

func TestStore_CreateTellsOfTheLockBeforeItMakesTheDatabase(t *testing.T) {
	t.Parallel()
	for _, broken := range []bool{false, true} {
		s := openStore(t)
		if broken {
			s.steps = []string{"no statement"}
		}
		var lock *os.File
		info, givenUp := testInfo("r"), 0
		info.Locked = func(f *os.File) func() {
			lock = f
			if _, err := os.Stat(s.path("r", "journal.db")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the database when the lock is told of: %v", err)
			}
			return func() {
				givenUp++
				if _, err := f.Stat(); err != nil {
					t.Errorf("the lock's file when it is to be given up: %v", err)
				}
			}
		}
		r, err := s.Create(info)
		switch {
		case broken:
			if err == nil || givenUp != 1 {
				t.Errorf("error %v, given up %d times", err, givenUp)
			}
			if _, err := lock.Stat(); !errors.Is(err, os.ErrClosed) {
				t.Errorf("the lock's file after a failure: %v", err)
			}
		case err != nil:
			t.Error(err)
		default:
			if lock != r.LockFile() || givenUp != 0 {
				t.Errorf("told of %v, given up %d times", lock, givenUp)
			}
			closeRun(t, r)
		}
	}
}
