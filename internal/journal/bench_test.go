package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// BenchmarkRun_Commit tells rows per second and what a row takes on the disk,
// at 2,000 rows a commit: those of a task, those of a command with an item, and
// those with 100 bytes of output.
func BenchmarkRun_Commit(b *testing.B) {
	const rows = 2000
	for _, c := range []struct {
		name string
		row  func(*Row)
		out  int
	}{
		{"task", func(*Row) {}, 0},
		{"command", func(r *Row) {
			r.Item, r.ExitCode, r.CPU, r.Peak = fmt.Sprintf("photos/%06d.jpg", r.Index), 0, time.Millisecond, 4<<20
		}, 0},
		{"output", func(r *Row) { r.Item = fmt.Sprintf("photos/%06d.jpg", r.Index) }, 100},
		{"failed", func(r *Row) { r.Outcome, r.ExitCode, r.Evidence = "failed", 1, "exit code 1" }, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := openStore(b)
			r := create(b, s, testInfo("r1"))
			var batch Batch
			out := make([]byte, c.out)
			n := 0
			b.ReportAllocs()
			began := time.Now()
			for b.Loop() {
				batch.Reset()
				for range rows {
					row := okRow(n)
					c.row(&row)
					batch.Add(&row, out, nil)
					n++
				}
				commit(b, r, &batch)
				r.PrintedBatch(&batch)
			}
			b.ReportMetric(float64(n)/time.Since(began).Seconds(), "rows/s")
			closeRun(b, r)
			info, err := os.Stat(filepath.Join(s.Dir(), "runs", "r1", "journal.db"))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(info.Size())/float64(n), "B/row")
		})
	}
}

func BenchmarkStore_Create(b *testing.B) {
	s := openStore(b)
	n := 0
	for b.Loop() {
		r, err := s.Create(testInfo(fmt.Sprint("r", n)))
		if err != nil {
			b.Fatal(err)
		}
		n++
		b.StopTimer()
		closeRun(b, r)
		b.StartTimer()
	}
}

// filled makes a run of n ok rows without outputs.
func filled(tb testing.TB, s *Store, id string, n int) {
	tb.Helper()
	r := create(tb, s, testInfo(id))
	var batch Batch
	for i := 0; i < n; {
		batch.Reset()
		for k := 0; k < 2000 && i < n; k++ {
			row := okRow(i)
			batch.Add(&row, nil, nil)
			i++
		}
		commit(tb, r, &batch)
	}
	closeRun(tb, r)
}

// BenchmarkPast_CarryAMillion matches and carries 1,000,000 rows, in their order
// and in the reverse order of blocks of 200,000, and tells by how much memory
// grew.
func BenchmarkPast_CarryAMillion(b *testing.B) {
	const rows = 1_000_000
	s := openStore(b)
	filled(b, s, "old", rows)
	keys := func(i int) [16]byte { return okRow(i).Key }
	const block = 200_000
	for _, c := range []struct {
		name string
		at   func(int) int
	}{
		{"in order", func(i int) int { return i }},
		{"blocks reversed", func(i int) int { return (rows/block-1-i/block)*block + i%block }},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				runtime.GC()
				var before, now runtime.MemStats
				runtime.ReadMemStats(&before)
				var match, carry time.Duration
				var most uint64
				p, err := s.Resume("old")
				if err != nil {
					b.Fatal(err)
				}
				info := testInfo(fmt.Sprint("new", c.name[:2], n))
				n++
				r := create(b, s, info)
				var batch Batch
				for i := 0; i < rows; {
					batch.Reset()
					t0 := time.Now()
					for range 2000 {
						at := c.at(i)
						claim, ok, err := p.Match(keys(at), false)
						if err != nil || !ok {
							b.Fatal(at, ok, err)
						}
						batch.Carry(claim, 0, int64(at))
						i++
					}
					t1 := time.Now()
					commit(b, r, &batch)
					match += t1.Sub(t0)
					carry += time.Since(t1)
					if i%100_000 == 0 {
						runtime.ReadMemStats(&now)
						most = max(most, now.HeapInuse)
					}
				}
				closeRun(b, r)
				p.Close()
				b.ReportMetric(match.Seconds(), "match-s")
				b.ReportMetric(carry.Seconds(), "carry-s")
				b.ReportMetric(float64(most-min(most, before.HeapInuse))/(1<<20), "heap-MiB")
			}
		})
	}
}
