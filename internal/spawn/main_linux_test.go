package spawn

import (
	"fmt"
	"os"
	"testing"

	"github.com/feac4032/multiproc/internal/boot"
)

func TestMain(m *testing.M) {
	if boot.Role == boot.Guard {
		GuardMain()
	}
	os.Exit(m.Run())
}

func TestSmoke(t *testing.T) {
	g, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, w, _ := os.Pipe()
	p, err := g.Start(&Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", "echo hi; env; exit 3"}, Files: []*os.File{nil, w, w}})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	<-p.Done()
	b := make([]byte, 1000)
	n, _ := r.Read(b)
	fmt.Printf("%s %+v\n", b[:n], p.Status())
	_, err = g.Start(&Spec{Path: "/nonexistent"})
	fmt.Println(err)
	_, err = g.Start(&Spec{Path: "/bin/true", Dir: "/nonexistent"})
	fmt.Println(err)
	p, _ = g.Start(&Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", "setsid sleep 1000 & sleep 1001 & (setsid sleep 1002 &) ; sleep 0.1; exit 4"}})
	<-p.Done()
	fmt.Printf("%+v\n", p.Status())
	fmt.Println(g.Close())
}

func BenchmarkStart(b *testing.B) {
	g, err := Open(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	b.SetParallelism(1)
	b.RunParallel(func(pb *testing.PB) {
		buf := make([]byte, 100)
		for pb.Next() {
			r, w, err := os.Pipe()
			if err != nil {
				b.Fatal(err)
			}
			p, err := g.Start(&Spec{Path: "/bin/true", Files: []*os.File{nil, w, w}})
			if err != nil {
				b.Fatal(err)
			}
			w.Close()
			r.Read(buf)
			r.Close()
			<-p.Done()
		}
	})
}
