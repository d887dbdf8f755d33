package report

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/feac4032/multiproc/config"
)

func BenchmarkSinks_Add(b *testing.B) {
	row := &Row{
		Job: "resize", Label: "resize#12", Index: 12, Outcome: "ok", Attempts: 1, Slot: 3, PID: 77, Worker: "worker-3",
		HasItem: true, Item: config.String("photos/2026/0012.jpg"), Matrix: []config.Field{{Name: "width", Value: config.IntValue(200)}},
		Start: begin, Wall: 12 * time.Millisecond, Result: result(b, map[string]any{"bytes": 12345, "ok": true}),
		Stdout: output("some output\n"), Stderr: output(""),
	}
	add := func(name string, open func(string) (Sink, error)) {
		b.Run(filepath.Ext(name), func(b *testing.B) {
			b.ReportAllocs()
			s, err := open(filepath.Join(b.TempDir(), name))
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close(nil)
			for b.Loop() {
				row.Index++
				row.Start = row.Start.Add(13 * time.Millisecond)
				if err := s.Add(row); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, open := range opens {
		add(name, open)
	}
	add("r.dir", func(path string) (Sink, error) { return OpenOutputDir(path) })
}

// BenchmarkCSV_Close writes tables of 10,000 rows.
func BenchmarkCSV_Close(b *testing.B) {
	row := &Row{Job: "resize", Label: "resize#12", Outcome: "ok", Attempts: 1, HasItem: true, Item: config.String("photos/2026/0012.jpg")}
	b.ReportAllocs()
	for b.Loop() {
		s, err := OpenCSV(filepath.Join(b.TempDir(), "r.csv"))
		if err != nil {
			b.Fatal(err)
		}
		for range 10_000 {
			if err := s.Add(row); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Close(&Summary{}); err != nil {
			b.Fatal(err)
		}
	}
}
