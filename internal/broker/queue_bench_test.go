package broker

import "testing"

func BenchmarkQueue_PutGet(b *testing.B) {
	q := NewQueue("q", 0)
	item := make([]byte, 64)
	var dst [1][]byte
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := q.TryPut(item); !ok {
			b.Fatal(err)
		}
		if n, err := q.TryGetBatch(dst[:]); n != 1 {
			b.Fatal(err)
		}
	}
}

func BenchmarkQueue_LeaseDone(b *testing.B) {
	q := NewQueue("q", 0)
	o := newOwner("o")
	item := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := q.TryPut(item); !ok {
			b.Fatal(err)
		}
		l, _, err := q.TryLease(o)
		if err != nil {
			b.Fatal(err)
		}
		if err := q.Done(o, l.Lease); err != nil {
			b.Fatal(err)
		}
	}
}
