//go:build unix

package journal

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	children["commit"] = commitForever
	children["lock"] = holdLock
}

// child starts the test binary as a child that says things on its stdout.
func child(t *testing.T, what string, args ...string) (*exec.Cmd, *bufio.Reader, io.Closer) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVariable+"="+what)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, bufio.NewReader(stdout), stdin
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// commitForever commits batches, some of them carried, and says after each how
// many instances are in the journal.
func commitForever() {
	s, err := Open(os.Args[1])
	fatal(err)
	info := testInfo(os.Args[2])
	info.Quota = 1 << 20
	info.Parent = os.Args[3]
	past, err := s.Resume(info.Parent)
	fatal(err)
	r, err := s.Create(info)
	fatal(err)
	var b Batch
	for n := 0; ; {
		b.Reset()
		for range 1 + n%50 {
			c, ok, err := past.Match(keyFor(n), true)
			fatal(err)
			if ok {
				b.Carry(c, 0, int64(n))
			} else {
				row := okRow(n)
				b.Add(&row, killedOutput(n), nil)
			}
			n++
		}
		fatal(r.Commit(&b))
		fmt.Println(n)
		r.PrintedBatch(&b)
	}
}

func killedOutput(n int) []byte { return fmt.Appendf(nil, "%*d", 10+n%500, n) }

func TestRun_WhatWasCommittedSurvivesSIGKILL(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	r := create(t, s, testInfo("r0"))
	closeRun(t, r)
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	for round := 1; round <= rounds; round++ {
		id, parent := fmt.Sprint("r", round), fmt.Sprint("r", round-1)
		cmd, said, _ := child(t, "commit", s.Dir(), id, parent)
		reported := 0
		for range 3 + round*7%40 {
			line, err := said.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			reported, _ = strconv.Atoi(strings.TrimSpace(line))
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		// What it had said before it died counts too.
		for {
			line, err := said.ReadString('\n')
			if err != nil {
				break
			}
			reported, _ = strconv.Atoi(strings.TrimSpace(line))
		}
		cmd.Wait()
		info, err := s.Find(id)
		if err != nil || info.State != Killed || info.Broken != nil {
			t.Fatalf("round %d: %v, %v, %v", round, info.State, info.Broken, err)
		}
		v := view(t, s, id)
		seen := map[int64]bool{}
		err = v.Each(Filter{}, func(row *Row) error {
			if seen[row.Index] {
				return fmt.Errorf("%d is in the journal twice", row.Index)
			}
			seen[row.Index] = true
			if row.Key != keyFor(int(row.Index)) {
				return fmt.Errorf("%d has the key of another", row.Index)
			}
			stdout, _, err := v.Output(row)
			if errors.Is(err, ErrGone) {
				return nil // printed before
			}
			if err != nil {
				return err
			}
			b, err := io.ReadAll(stdout)
			if err == nil && string(b) != string(killedOutput(int(row.Index))) {
				err = fmt.Errorf("output of %d is %q", row.Index, b)
			}
			return err
		})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for i := range reported {
			if !seen[int64(i)] {
				t.Fatalf("round %d: %d was reported and is not in the journal, which has %d of %d", round, i, len(seen), reported)
			}
		}
		var check string
		if err := v.db.conn.QueryRowContext(background, "PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
			t.Fatalf("round %d: %s, %v", round, check, err)
		}
	}
}

// holdLock creates a run, says so, and waits for the end of its stdin.
func holdLock() {
	s, err := Open(os.Args[1])
	fatal(err)
	_, err = s.Create(testInfo(os.Args[2]))
	fatal(err)
	fmt.Println("locked")
	io.Copy(io.Discard, os.Stdin)
}

func TestStore_ARunOfAnotherProcessIsInUseUntilItsEnd(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	cmd, said, stdin := child(t, "lock", s.Dir(), "r1")
	if _, err := said.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if i, err := s.Find("r1"); err != nil || i.State != Running {
		t.Errorf("state is %v, %v", i.State, err)
	}
	var inUse *InUseError
	began := time.Now()
	_, err := s.Resume("r1")
	if !errors.As(err, &inUse) || inUse.PID != cmd.Process.Pid || !errors.Is(err, ErrInUse) {
		t.Errorf("error is %v", err)
	}
	if d := time.Since(began); d < patience {
		t.Errorf("gave up after %v", d)
	}
	if err := s.Remove("r1"); !errors.Is(err, ErrInUse) {
		t.Errorf("error is %v", err)
	}
	// A resume that waits gets the run once its holder is gone.
	got := make(chan error, 1)
	go func() {
		p, err := s.Resume("r1")
		if err == nil {
			p.Close()
		}
		got <- err
	}()
	stdin.Close()
	cmd.Wait()
	if err := <-got; err != nil {
		t.Error(err)
	}
	if i, err := s.Find("r1"); err != nil || i.State != Killed {
		t.Errorf("state is %v, %v", i.State, err)
	}
}

// As a guardian does that has inherited the file.
func TestRun_ACopyOfTheLockFileKeepsItAlive(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	r := create(t, s, testInfo("r1"))
	fd, err := unix.Dup(int(r.LockFile().Fd()))
	if err != nil {
		t.Fatal(err)
	}
	closeRun(t, r)
	if i, _ := s.Find("r1"); i.State != Running {
		t.Errorf("state is %v", i.State)
	}
	unix.Close(fd)
	if i, _ := s.Find("r1"); i.State != Killed {
		t.Errorf("state is %v", i.State)
	}
}

func TestPast_ResumingIsNotRunning(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	closeRun(t, create(t, s, testInfo("r1")))
	p := resume(t, s, "r1")
	if i, _ := s.Find("r1"); i.State != Killed {
		t.Errorf("state is %v", i.State)
	}
	if _, err := s.Resume("r1"); !errors.Is(err, ErrInUse) {
		t.Errorf("error is %v", err)
	}
	p.Close()
	resume(t, s, "r1")
}

func TestStore_RefusesLinksInItsPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		target string // in a folder beside the state folder
		file   bool
	}{
		{"runs", "", false},
		{"runs/r1", "", false},
		{"runs/r1/outputs", "", false},
		{"runs/r1/journal.db", "victim", true},
		{"runs/r1/journal.db-wal", "victim", true},
		{"runs/r1/lock", "victim", true},
	} {
		t.Run(filepath.Base(c.name), func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			closeRun(t, create(t, s, testInfo("r1")))
			outside := t.TempDir()
			victim := filepath.Join(outside, c.target)
			if c.file {
				if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(s.Dir(), c.name)
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(victim, path); err != nil {
				t.Fatal(err)
			}
			again, err := Open(s.Dir())
			if err == nil {
				defer again.Close()
				_, err = again.Resume("r1")
			}
			if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "symbolic link") {
				t.Errorf("error is %v", err)
			}
			if c.file {
				if b, err := os.ReadFile(victim); string(b) != "precious" {
					t.Errorf("the file outside is %q, %v", b, err)
				}
			} else if names, _ := os.ReadDir(outside); len(names) > 0 {
				t.Errorf("the folder outside has %v", names)
			}
		})
	}
}

func TestStore_RefusesFoldersOfOthers(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, name := range []string{".", "runs"} {
		s := openStore(t)
		if err := os.Chown(filepath.Join(s.Dir(), name), 12345, -1); err != nil {
			t.Fatal(err)
		}
		_, err := Open(s.Dir())
		if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "belongs to user 12345") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func TestStore_ClosesItsFoldersToOthers(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	r := create(t, s, testInfo("r1"))
	var b Batch
	row := okRow(1)
	b.Add(&row, []byte("secret"), nil)
	commit(t, r, &b)
	if err := os.Chmod(s.Dir(), 0o777); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if info, _ := os.Stat(s.Dir()); info.Mode().Perm()&0o022 != 0 {
		t.Errorf("mode is %v", info.Mode())
	}
	for _, name := range []string{"runs", "runs/r1", "runs/r1/outputs"} {
		if info, err := os.Stat(filepath.Join(s.Dir(), name)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("mode of %s is %v, %v", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(filepath.Join(r.Dir(), "outputs", segmentName(1))); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of a segment is %v, %v", info.Mode(), err)
	}
}

func TestStore_OneDamagedRunHidesNoOther(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	filled(t, s, "good", 100)
	damage := map[string]func(db string) error{
		"missing": os.Remove,
		"empty":   func(db string) error { return os.Truncate(db, 0) },
		"noise":   func(db string) error { return os.WriteFile(db, []byte(strings.Repeat("noise", 1000)), 0o600) },
		"pages": func(db string) error {
			f, err := os.OpenFile(db, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte(strings.Repeat("\xff", 4096*8)), 4096)
			return err
		},
		"pipe": func(db string) error { os.Remove(db); return unix.Mkfifo(db, 0o600) },
	}
	for name, fn := range damage {
		filled(t, s, name, 3000)
		db := filepath.Join(s.Dir(), "runs", name, "journal.db")
		if err := fn(db); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.Runs()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != len(damage)+1 {
		t.Errorf("%d runs are listed", len(list))
	}
	for _, i := range list {
		if (i.Broken != nil) != (i.ID != "good") {
			t.Errorf("%s: %v", i.ID, i.Broken)
		}
	}
	for name := range damage {
		var damaged *DamagedError
		if _, err := s.View(name); !errors.As(err, &damaged) && !errors.Is(err, ErrForeign) {
			t.Errorf("%s: error is %v", name, err)
		}
		if _, err := s.Resume(name); !errors.As(err, &damaged) && !errors.Is(err, ErrForeign) {
			t.Errorf("%s: error is %v", name, err)
		}
		if err := s.Remove(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Journals of the first version are there to be read and resumed.
func TestStore_ReadsAndResumesTheFirstVersion(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	for _, id := range []string{"seen", "resumed"} {
		filled(t, s, id, 10)
		downgrade(t, s, id)
	}
	rows := rowsOf(t, view(t, s, "seen"), Filter{})
	if len(rows) != 10 || rows[3].Key != keyFor(3) || rows[3].Limit != 0 || rows[3].PeakSource != "" {
		t.Errorf("%d rows: %+v", len(rows), rows[3])
	}
	past, err := s.Resume("resumed")
	if err != nil {
		t.Fatal(err)
	}
	defer past.Close()
	info := testInfo("next")
	info.Parent = "resumed"
	r := create(t, s, info)
	var b Batch
	for i := range 10 {
		claim, ok, err := past.Match(keyFor(i), false)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		b.Carry(claim, 0, int64(i))
	}
	commit(t, r, &b)
	closeRun(t, r)
	if rows := rowsOf(t, view(t, s, "next"), Filter{}); len(rows) != 10 || !rows[9].Resumed || rows[9].PID != 4242 {
		t.Errorf("%d rows are carried over", len(rows))
	}
}

// downgrade makes a journal one of the first version.
func downgrade(t *testing.T, s *Store, id string) {
	t.Helper()
	path := filepath.Join(s.Dir(), "runs", id, "journal.db")
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	script := "DROP VIEW failures; DROP VIEW instances;"
	for _, column := range []string{"instance limit_value", "instance observed", "instance enforced_by", "instance peak_source", "attempt limit_value", "attempt observed", "attempt enforced_by"} {
		table, name, _ := strings.Cut(column, " ")
		script += "ALTER TABLE " + table + " DROP COLUMN " + name + ";"
	}
	_, views, _ := strings.Cut(version1, "CREATE VIEW instances")
	if _, err := db.Exec(script + "CREATE VIEW instances" + views + "PRAGMA user_version = 1"); err != nil {
		t.Fatal(err)
	}
}

func TestStore_BringsOlderJournalsToItsVersion(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	filled(t, s, "old", 10)
	later, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer later.Close()
	later.steps = append(steps[:len(steps):len(steps)], "ALTER TABLE run ADD COLUMN host TEXT; CREATE TABLE extra(x)")
	v := view(t, later, "old")
	if rows := rowsOf(t, v, Filter{}); len(rows) != 10 {
		t.Errorf("%d rows", len(rows))
	}
	var n int
	if err := v.db.conn.QueryRowContext(background, "SELECT count(host) + (SELECT count(*) FROM extra) FROM run").Scan(&n); err != nil {
		t.Error(err)
	}
	// And the older program refuses what it does not know.
	var newer *NewerError
	if _, err := s.View("old"); !errors.As(err, &newer) || newer.Version != len(steps)+1 || newer.Known != len(steps) {
		t.Errorf("error is %v", err)
	}
	if _, err := s.Resume("old"); !errors.As(err, &newer) {
		t.Errorf("error is %v", err)
	}
	if i, err := s.Find("old"); err != nil || !errors.As(i.Broken, &newer) {
		t.Errorf("error is %v, %v", i.Broken, err)
	}
	// A step that fails has not happened.
	broken, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Close()
	broken.steps = append(later.steps[:len(later.steps):len(later.steps)], "CREATE TABLE more(x); CREATE TABLE extra(x)")
	if _, err := broken.View("old"); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("to version %d", len(broken.steps))) {
		t.Errorf("error is %v", err)
	}
	view(t, later, "old")
}
