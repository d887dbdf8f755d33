package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Store is a state folder: the runs of those who use it. Its methods may be
// called by several goroutines, and other processes may use the folder at the
// same time.
type Store struct {
	dir     string // absolute
	root    *os.Root
	runs    *os.Root
	network string
	steps   []string
}

// Open opens a state folder and makes it, with mode 0700, if it is not there.
// What is in it is not opened. The error says why it cannot be used: it cannot be
// made or written, or is not this user's own (ErrForeign).
func Open(dir string) (*Store, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	return open(dir, makeIn)
}

// Look opens a state folder for reading and makes nothing. Without the folder
// the error wraps fs.ErrNotExist.
func Look(dir string) (*Store, error) { return open(dir, openIn) }

func open(dir string, runs func(*os.Root, string) (*os.Root, error)) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, steps: steps}
	if s.root, err = openFolder(dir); err != nil {
		return nil, err
	}
	if s.runs, err = runs(s.root, "runs"); err != nil {
		s.root.Close()
		return nil, fmt.Errorf("state folder %s: %w", dir, err)
	}
	if s.network, err = network(s.runs); err != nil {
		s.Close()
		return nil, fmt.Errorf("state folder %s: %w", dir, err)
	}
	return s, nil
}

// Close closes the folder, not what was opened through it.
func (s *Store) Close() error { return errors.Join(s.runs.Close(), s.root.Close()) }

// Dir is the absolute path of the folder.
func (s *Store) Dir() string { return s.dir }

// Network names the network file system that the folder lies on, "" = none. On
// one, runs keep a rollback journal in place of a write-ahead log: a commit takes
// longer, and readers and the run wait for each other, for as long as one commit.
func (s *Store) Network() string { return s.network }

// path is that of a file in a run's folder.
func (s *Store) path(run, name string) string { return filepath.Join(s.dir, "runs", run, name) }

// checkID says why a name cannot be a run's: it is the name of a folder, and
// what stands behind a dot is the store's own.
func checkID(id string) error {
	if id == "" || len(id) > 128 || id[0] == '.' || id[0] == '-' ||
		strings.ContainsFunc(id, func(r rune) bool { return !strings.ContainsRune(idLetters, r) }) {
		return fmt.Errorf("run id %q: want up to 128 of A-Z a-z 0-9 . _ -, the first of them no . or -", id)
	}
	return nil
}

const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// folder opens the folder of a run.
func (s *Store) folder(id string) (*os.Root, error) {
	if err := checkID(id); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	root, err := openIn(s.runs, id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("run %s: %w in %s", id, ErrNotFound, s.dir)
	}
	return root, err
}

// database opens the database of a run, whose folder is root.
func (s *Store) database(root *os.Root, id string, mode access) (*database, error) {
	for _, name := range []string{"journal.db", "journal.db-wal", "journal.db-shm", "journal.db-journal"} {
		if err := checkRegular(root, name); err != nil {
			return nil, err
		}
	}
	if mode != toWrite {
		if info, err := root.Lstat("journal.db"); err != nil {
			return nil, &DamagedError{Run: id, Path: s.path(id, "journal.db"), Err: err}
		} else if info.Size() == 0 {
			return nil, &DamagedError{Run: id, Path: s.path(id, "journal.db"), Err: errors.New("it is empty")}
		}
	}
	return openDatabase(id, s.path(id, "journal.db"), mode, s.network != "")
}

// Info describes a run from its begin.
type Info struct {
	ID       string // a name for a folder, unique in the store
	Name     string
	Identity string // what a later run has in common with it, see Store.Latest
	File     string // the job file
	Dir      string
	Argv     []string
	Begin    time.Time
	Workers  int
	Parent   string // the run that it resumes
	Version  string // of the program
	Jobs     []JobInfo

	// Quota bounds the outputs that are kept, in bytes; 0 = DefaultQuota. It is
	// not recorded.
	Quota int64

	// Locked is called with Run.LockFile as soon as the lock is taken, before the
	// database is made. If Create fails it calls what Locked has returned, and then closes
	// the file. Nil = nobody is told.
	Locked func(*os.File) (giveUp func())
}

// JobInfo describes a job.
type JobInfo struct {
	ID      string
	Kind    string
	Program string // what its worker program was, for those who compare it; "" = not said
}

// End describes how a run ended.
type End struct {
	Time     time.Time
	ExitCode int
	Totals   []byte // JSON
}
