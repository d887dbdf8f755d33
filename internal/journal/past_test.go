package journal

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func resume(t testing.TB, s *Store, id string) *Past {
	t.Helper()
	p, err := s.Resume(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func match(t testing.TB, p *Past, key [16]byte, output bool) (Claim, bool) {
	t.Helper()
	c, ok, err := p.Match(key, output)
	if err != nil {
		t.Fatal(err)
	}
	return c, ok
}

// recordOf writes a run of rows with the keys and outcomes of fn, until that
// reports false.
func recordOf(t testing.TB, s *Store, info Info, fn func(i int) (Row, bool)) {
	t.Helper()
	r := create(t, s, info)
	var b Batch
	for i := 0; ; i++ {
		row, more := fn(i)
		if !more || b.Len() == 1000 {
			commit(t, r, &b)
			b.Reset()
		}
		if !more {
			break
		}
		b.Add(&row, nil, nil)
	}
	closeRun(t, r)
}

// The model: of each key, as many look-ups are satisfied as there are records
// that are ok. A record that is not ok may use up one look-up of its key.
func TestPast_MatchesLikeAMap(t *testing.T) {
	t.Parallel()
	seeds := uint64(12)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 1))
			s := openStore(t)
			rows := 1 + rnd.IntN(4000)
			distinct := rows
			if seed%3 == 1 {
				distinct = 1 + rows/5 // equal instances
			}
			type count struct{ good, bad int }
			model := map[int]count{}
			var old []int
			recordOf(t, s, testInfo("old"), func(i int) (Row, bool) {
				if i == rows {
					return Row{}, false
				}
				n := i
				if distinct < rows {
					n = rnd.IntN(distinct)
				}
				row := okRow(i)
				row.Key = keyFor(n)
				c := model[n]
				if rnd.IntN(10) == 0 {
					row.Outcome = "failed"
					c.bad++
				} else {
					c.good++
				}
				model[n] = c
				old = append(old, n)
				return row, true
			})
			input := append([]int(nil), old...)
			switch seed % 4 {
			case 1:
				rnd.Shuffle(len(input), func(i, j int) { input[i], input[j] = input[j], input[i] })
			case 2: // deletions and additions
				input = input[len(input)/3:]
				for i := range len(input) / 4 {
					at := rnd.IntN(len(input))
					input = append(input[:at], append([]int{-1 - i}, input[at:]...)...)
				}
			case 3: // rotation
				input = append(input[len(input)/2:], input[:len(input)/2]...)
			}
			p := resume(t, s, "old")
			// A small window, so that the index and jumps are used.
			p.sources[0].win.size = 1 + rnd.IntN(200)
			asked, satisfied := map[int]int{}, map[int]int{}
			rowsTaken := map[int64]bool{}
			for _, n := range input {
				c, ok := match(t, p, keyFor(n), false)
				asked[n]++
				if !ok {
					continue
				}
				satisfied[n]++
				if rowsTaken[c.row] {
					t.Fatalf("row %d was given twice", c.row)
				}
				rowsTaken[c.row] = true
				if old[c.row-1] != n || c.index != c.row-1 {
					t.Fatalf("row %d with index %d was given for key %d", c.row, c.index, n)
				}
			}
			for n, k := range asked {
				m := model[n]
				if satisfied[n] > min(m.good, k) || satisfied[n] < min(m.good, k-m.bad) {
					t.Errorf("key %d: %d of %d look-ups satisfied, with %d ok and %d not", n, satisfied[n], k, m.good, m.bad)
				}
			}
		})
	}
}

func hasIndex(t testing.TB, s *source) bool {
	t.Helper()
	var n int
	if err := s.db.conn.QueryRowContext(background, "SELECT count(*) FROM sqlite_schema WHERE type='index' AND name='instance_ok_key'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n > 0
}

func TestPast_NeedsNoIndexWhileTheOrderIsAboutTheSame(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	const rows = 5000
	order := rand.New(rand.NewPCG(1, 1)).Perm(16) // what is under way ends in any order
	recordOf(t, s, testInfo("old"), func(i int) (Row, bool) {
		row := okRow(i&^15 | order[i&15])
		if i%7 == 0 {
			row.Outcome = "failed"
		}
		return row, i < rows&^15
	})
	p := resume(t, s, "old")
	n := 0
	for i := range rows + 100 { // the last ones are new
		if _, ok := match(t, p, keyFor(i), false); ok {
			n++
		}
	}
	if want := rows&^15 - (rows&^15+6)/7; n != want {
		t.Errorf("%d matched, want %d", n, want)
	}
	if hasIndex(t, p.sources[0]) {
		t.Error("an index was built")
	}
	if n := p.sources[0].win.live; n > 16 {
		t.Errorf("%d rows are left in the window", n)
	}
}

func TestPast_FollowsBlocksThatMoved(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	const rows, block = 20_000, 5000
	filled(t, s, "old", rows)
	p := resume(t, s, "old")
	p.sources[0].win.size = 1000
	lookups := 0
	for i := range rows {
		n := (rows/block-1-i/block)*block + i%block
		before := p.sources[0].hits
		if _, ok := match(t, p, keyFor(n), false); !ok {
			t.Fatalf("%d was not found", n)
		}
		if p.sources[0].hits != before {
			lookups++
		}
	}
	if !hasIndex(t, p.sources[0]) {
		t.Error("no index was built")
	}
	if lookups > 100 {
		t.Errorf("%d look-ups by the index", lookups)
	}
}

func TestRun_CarriesRowsAttemptsAndOutputs(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	old := create(t, s, testInfo("old"))
	var b Batch
	for i := range 10 {
		row := okRow(i)
		row.Item = fmt.Sprint("item", i)
		if i == 4 {
			row.Attempt = 2
			b.AddAttempt(&Attempt{Index: 4, Attempt: 1, Outcome: "failed", Start: row.Start, ExitCode: 1})
		}
		b.Add(&row, fmt.Appendf(nil, "out%d", i), []byte("err"))
	}
	commit(t, old, &b)
	closeRun(t, old)

	info := testInfo("new")
	info.Begin, info.Parent = begin.Add(time.Hour), "old"
	r := create(t, s, info)
	b.Reset()
	row := okRow(100)
	b.Add(&row, []byte("own"), nil)
	commit(t, r, &b)
	p := resume(t, s, "old")
	b.Reset()
	for i := range 9 { // shifted by one, for another job
		c, ok := match(t, p, keyFor(i+1), true)
		if !ok {
			t.Fatalf("%d was not found", i)
		}
		if got, err := p.Row(c); err != nil || got.Item != fmt.Sprint("item", i+1) {
			t.Errorf("row is %v, %v", got, err)
		}
		out, _ := outputOf(t, func() (*io.SectionReader, *io.SectionReader, error) { return p.Output(c) })
		if out != fmt.Sprint("out", i+1) {
			t.Errorf("output is %q", out)
		}
		b.Carry(c, 1, int64(i))
	}
	commit(t, r, &b)
	p.Close()
	if err := s.Remove("old"); err != nil {
		t.Fatal(err)
	}
	v := view(t, s, "new")
	rows := rowsOf(t, v, Filter{Job: "resize"})
	if len(rows) != 9 {
		t.Fatalf("%d rows", len(rows))
	}
	for i := range rows {
		got := &rows[i]
		want := okRow(i + 1)
		if got.Index != int64(i) || got.Key != want.Key || got.Item != fmt.Sprint("item", i+1) || !got.Start.Equal(want.Start) ||
			!got.Resumed || got.OriginRun != "old" || got.OriginRow != int64(i+2) || got.Worker != want.Worker || got.Wall != want.Wall {
			t.Errorf("row %d is %+v", i, got)
		}
		out, stderr := outputOf(t, func() (*io.SectionReader, *io.SectionReader, error) { return v.Output(got) })
		if out != fmt.Sprint("out", i+1) || stderr != "err" {
			t.Errorf("outputs are %q, %q", out, stderr)
		}
	}
	tries, err := v.Attempts(&rows[3])
	if err != nil || len(tries) != 1 || tries[0].Outcome != "failed" || !tries[0].Start.Equal(rows[3].Start) {
		t.Errorf("attempts are %+v, %v", tries, err)
	}
	own := rowsOf(t, v, Filter{Job: "hash"})
	if out, _ := outputOf(t, func() (*io.SectionReader, *io.SectionReader, error) { return v.Output(&own[0]) }); out != "own" || own[0].Resumed {
		t.Errorf("output is %q", out)
	}
}

// Each run of a chain was killed before it got to the end: nothing is lost, and
// nothing is offered twice.
func TestPast_GoesThroughTheWholeChain(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	const runs, rows = 12, 100 // more than can be attached at once
	r := create(t, s, testInfo("r0"))
	var b Batch
	for i := range rows {
		row := okRow(i)
		b.Add(&row, nil, nil)
	}
	commit(t, r, &b)
	closeRun(t, r)
	for k := 1; k < runs; k++ {
		p := resume(t, s, fmt.Sprint("r", k-1))
		info := testInfo(fmt.Sprint("r", k))
		info.Parent = fmt.Sprint("r", k-1)
		r := create(t, s, info)
		b.Reset()
		// Takes over what is at its end of the input, and runs one of its own.
		for i := rows - 5*k; i < rows-5*(k-1); i++ {
			c, ok := match(t, p, keyFor(i), false)
			if !ok || c.Run() != "r0" {
				t.Fatalf("run %d: %d is %v of %v", k, i, ok, c)
			}
			b.Carry(c, 0, int64(i))
		}
		row := okRow(1000 + k)
		b.Add(&row, nil, nil)
		commit(t, r, &b)
		closeRun(t, r)
		p.Close()
	}
	p := resume(t, s, fmt.Sprint("r", runs-1))
	if len(p.Runs()) != runs || len(p.Missing()) != 0 {
		t.Fatalf("chain is %v, missing %v", p.Runs(), p.Missing())
	}
	info := testInfo("last")
	r = create(t, s, info)
	b.Reset()
	n := 0
	for round := range 2 {
		for i := range 1000 + runs {
			c, ok := match(t, p, keyFor(i), false)
			if !ok {
				continue
			}
			if round > 0 {
				t.Fatalf("%d was offered twice", i)
			}
			b.Carry(c, 0, int64(i))
			n++
		}
	}
	if n != rows+runs-1 {
		t.Errorf("%d matched, want %d", n, rows+runs-1)
	}
	commit(t, r, &b)
	seen := map[[16]byte]bool{}
	for _, row := range rowsOf(t, view(t, s, "last"), Filter{}) {
		seen[row.Key] = true
	}
	if len(seen) != n {
		t.Errorf("%d instances in the journal, want %d", len(seen), n)
	}
}

func TestPast_LeavesOutAncestorsThatAreGone(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	info := testInfo("new")
	info.Parent = "removed"
	recordOf(t, s, info, func(i int) (Row, bool) { return okRow(i), i < 3 })
	p := resume(t, s, "new")
	if d := cmp.Diff([]string{"removed"}, p.Missing()); d != "" {
		t.Error(d)
	}
	if _, ok := match(t, p, keyFor(2), false); !ok {
		t.Error("not found")
	}
	if _, err := s.Resume("removed"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error is %v", err)
	}
}

func TestPast_NeedsTheOutputWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	info := testInfo("old")
	info.Quota = 64 << 10 // segments of 1 KiB
	r := create(t, s, info)
	var b Batch
	for i := range 3 {
		row := okRow(i)
		b.Add(&row, make([]byte, 1000), nil)
	}
	row := okRow(3)
	b.Add(&row, nil, []byte("only stderr"))
	commit(t, r, &b)
	closeRun(t, r)
	if err := os.Remove(filepath.Join(s.Dir(), "runs", "old", "outputs", segmentName(2))); err != nil {
		t.Fatal(err)
	}
	for _, output := range []bool{true, false} {
		p := resume(t, s, "old")
		for i := range 4 {
			if _, ok := match(t, p, keyFor(i), output); ok == (output && i == 1) {
				t.Errorf("instance %d, output %v: %v", i, output, ok)
			}
		}
		p.Close()
	}
	v := view(t, s, "old")
	if _, _, err := v.Output(&rowsOf(t, v, Filter{})[1]); !errors.Is(err, ErrGone) {
		t.Errorf("error is %v", err)
	}
}

func TestPast_TellsTheSizesOfChunks(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	write := func(id, parent string, from, to, items int) {
		info := testInfo(id)
		info.Parent = parent
		recordOf(t, s, info, func(i int) (Row, bool) {
			row := okRow(from + i)
			row.Job, row.Items = 1, int64(items+from+i)
			return row, from+i < to
		})
	}
	write("a", "", 0, 3000, 1)
	write("b", "a", 0, 1500, 5000)
	p := resume(t, s, "b")
	for _, c := range []struct{ index, items int64 }{{0, 5000}, {1499, 6499}, {1500, 1501}, {2999, 3000}, {7, 5007}, {3000, 0}, {-1, 0}} {
		if n, ok, err := p.Count("resize", c.index); n != c.items || ok != (c.items > 0) || err != nil {
			t.Errorf("chunk %d has %d items, %v, %v", c.index, n, ok, err)
		}
	}
	if _, ok, err := p.Count("none", 0); ok || err != nil {
		t.Error(ok, err)
	}
}
