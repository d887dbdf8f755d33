package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A small disk that fills up loses the commit that did not fit, and takes others
// once there is room.
func TestRun_AFullDiskLosesOneCommit(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mount a tmpfs: %v", err)
	}
	defer unix.Unmount(disk, unix.MNT_DETACH)
	s, err := Open(filepath.Join(disk, "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		name   string
		output int
	}{{"rows", 0}, {"outputs", 5000}} {
		ballast := filepath.Join(disk, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 700<<10), 0o600); err != nil {
			t.Fatal(err)
		}
		r := create(t, s, testInfo(c.name))
		whole, n := 0, 0
		var b Batch
		fill := func() {
			b.Reset()
			for i := range 50 {
				row := okRow(n + i)
				row.Item = strings.Repeat("i", 500)
				b.Add(&row, make([]byte, c.output), nil)
			}
		}
		for ; ; n += 50 {
			fill()
			err := r.Commit(&b)
			var lost *LostError
			if errors.As(err, &lost) {
				if lost.Label != fmt.Sprint("hash#", n) || lost.Lost != 50 {
					t.Errorf("%s: error is %v", c.name, err)
				}
				if c.output > 0 && !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("%s: error is %v", c.name, err)
				}
				break
			}
			whole += 50
			if whole > 100_000 {
				t.Fatal("the disk is never full")
			}
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		fill()
		commit(t, r, &b)
		whole += 50
		v := view(t, s, c.name)
		rows := rowsOf(t, v, Filter{})
		v.Close() // an open file keeps its room
		for i := range rows {
			if rows[i].Index != int64(i) {
				t.Fatalf("%s: row %d is of %d", c.name, i, rows[i].Index)
			}
		}
		if len(rows) != whole {
			t.Errorf("%s: %d rows, want %d", c.name, len(rows), whole)
		}
		closeRun(t, r)
		if err := s.Remove(c.name); err != nil {
			t.Fatal(err)
		}
	}
}
