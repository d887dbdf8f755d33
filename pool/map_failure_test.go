//go:build unix

package pool_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// The deeds end at the first, a middle and the last place of a chunk, in one of a
// hundred items.
func TestMap_ItemThatFailsIsAlone(t *testing.T) {
	t.Parallel()
	for _, do := range []string{"error", "panic", "goexit", "exit", "kill"} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			b := setup(t, pool.Config{Workers: 2})
			const n, chunk = 1000, 100
			warm := 0
			for range pool.Map(b.ctx, b.Pool, noop, upTo(10)) {
				warm++
			}
			special := map[int]deed{}
			// What was sent singly to begin with shifts the chunks, so every place is
			// met by some of these.
			for i := 300; i < n; i += 101 {
				special[i] = deed{do, i & 0x7f}
			}
			i := 0
			for out, err := range pool.Map(b.ctx, b.Pool, act, deeds(n, special), pool.Chunk(chunk), pool.WithLabel("x")) {
				_, bad := special[i]
				if !bad && (err != nil || out != i) {
					t.Fatalf("item %d: %d, %v", i, out, err)
				}
				if bad {
					checkFailure(t, do, i, special[i].N, err)
				}
				i++
			}
			if i != n {
				t.Fatalf("%d items", i)
			}
		})
	}
}

func checkFailure(t *testing.T, do string, i, n int, err error) {
	t.Helper()
	var failed *pool.TaskError
	var lost *pool.WorkerLostError
	label := fmt.Sprint("x#", i)
	switch do {
	case "error", "panic", "goexit":
		if !errors.As(err, &failed) || failed.Job != label || failed.Attempt != 1 || failed.Worker == "" || failed.Task != "act" {
			t.Fatalf("item %d: %v (%+v)", i, err, failed)
		}
		if do == "error" && !errors.Is(err, errSentinel) || do == "goexit" && !errors.Is(err, task.ErrGoexit) || do == "panic" && !failed.Failure.Panic {
			t.Fatalf("item %d: %v", i, err)
		}
	case "exit":
		if !errors.As(err, &lost) || lost.ExitCode != n || lost.Job != label {
			t.Fatalf("item %d: %v", i, err)
		}
	case "kill":
		if !errors.As(err, &lost) || lost.Signal != int(syscall.SIGKILL) || lost.Job != label {
			t.Fatalf("item %d: %v", i, err)
		}
	}
}

func TestMap_EveryPlaceInAChunk(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	const chunk = 5
	for _, do := range []string{"error", "goexit", "kill"} {
		for place := range chunk {
			// The first result makes the chunks; one for each worker in flight is single.
			special := map[int]deed{20 + place: {do, 0}}
			i := 0
			for out, err := range pool.Map(b.ctx, b.Pool, act, deeds(40, special), pool.Chunk(chunk), pool.Buffer(20)) {
				if i == 20+place == (err == nil) || err == nil && out != i {
					t.Fatalf("%s at %d: item %d: %d, %v", do, place, i, out, err)
				}
				i++
			}
			if i != 40 {
				t.Fatalf("%d items", i)
			}
		}
	}
}

func TestMap_TriesItemsAgainAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	special := map[int]deed{}
	for i := 0; i < 600; i += 7 {
		special[i] = deed{"once", i}
	}
	special[300], special[301], special[599] = deed{"kill once", 300}, deed{"attempt", 0}, deed{"kill once", 599}
	special[400], special[401] = deed{"error", 400}, deed{"kill", 401}
	retry := pool.WithRetry(pool.Retry{Max: 2, NoBackoff: true})
	i := 0
	for out, err := range pool.Map(b.ctx, b.Pool, act, deeds(600, special), retry, pool.Chunk(50)) {
		var failed *pool.TaskError
		var lost *pool.WorkerLostError
		switch i {
		case 301:
			if err != nil || out != 1 {
				t.Errorf("item %d is at attempt %d, %v", i, out, err)
			}
		case 400:
			if !errors.As(err, &failed) || failed.Attempt != 3 {
				t.Errorf("item %d: %v", i, err)
			}
		case 401:
			if !errors.As(err, &lost) || !lost.Poisoned {
				t.Errorf("item %d: %v", i, err)
			}
		default:
			if err != nil || out != i {
				t.Fatalf("item %d: %d, %v", i, out, err)
			}
		}
		i++
	}
	if i != 600 {
		t.Fatalf("%d items", i)
	}
}

func TestMap_WaitsBetweenAttempts(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	begin := time.Now()
	retry := pool.WithRetry(pool.Retry{Max: 1, Backoff: 100 * time.Millisecond})
	i := 0
	for out, err := range pool.Map(b.ctx, b.Pool, act, deeds(30, map[int]deed{25: {"once", 25}}), retry, pool.Chunk(10)) {
		if err != nil || out != i {
			t.Fatal(i, out, err)
		}
		i++
	}
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func TestMap_FailFastEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	for _, chunk := range []int{0, 1, 10} {
		i := 0
		special := map[int]deed{50: {"error", 50}, 51: {"nap", 60_000}, 60: {"error", 60}}
		for out, err := range pool.Map(b.ctx, b.Pool, act, deeds(1000, special), pool.FailFast(), pool.Chunk(chunk), pool.Buffer(4)) {
			if (i == 50) != errors.Is(err, errSentinel) || err == nil && out != i {
				t.Fatalf("item %d: %d, %v", i, out, err)
			}
			i++
		}
		if i != 51 {
			t.Fatalf("%d items", i)
		}
	}
}

func TestMap_WhatDoesNotTravelIsAnErrorOfItsItem(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	const n = 500
	in := func(yield func(fuss) bool) {
		for i := range n {
			if !yield(fuss{i}) {
				return
			}
		}
	}
	i := 0
	for out, err := range pool.Map(b.ctx, b.Pool, fussy, in, pool.Chunk(30)) {
		switch i % 100 {
		case 11, 12, 21, 22:
			var panicked *task.PanicError
			if err == nil || (i%100 == 12 || i%100 == 22) != errors.As(err, &panicked) || (i%100 == 11) && !errors.Is(err, errSentinel) {
				t.Errorf("item %d: %v", i, err)
			}
		default:
			if err != nil || out.N != i {
				t.Fatalf("item %d: %v, %v", i, out, err)
			}
		}
		i++
	}
	if i != n {
		t.Fatalf("%d items", i)
	}
}

func TestMap_ResultsThatAreTooLargeTogether(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	in := func(yield func(int) bool) {
		for i := range 30 {
			size := i
			switch {
			case i == 20:
				size = 65 << 20 // more than a message has
			case i > 10 && i < 16:
				size = 20 << 20 // too many of these for one
			}
			if !yield(size) {
				return
			}
		}
	}
	i := 0
	for out, err := range pool.Map(b.ctx, b.Pool, grow, in, pool.Chunk(20)) {
		want := i
		if i > 10 && i < 16 {
			want = 20 << 20
		}
		if (i == 20) != errors.Is(err, worker.ErrResultTooLarge) || i != 20 && (err != nil || len(out) != want) {
			t.Fatalf("item %d: %d bytes, %v", i, len(out), err)
		}
		i++
	}
	if i != 30 {
		t.Fatalf("%d items", i)
	}
}

func TestMap_TimeoutIsThatOfAnItem(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	i := 0
	for out, err := range pool.Map(b.ctx, b.Pool, act, deeds(30, map[int]deed{15: {"nap", 60_000}}), pool.WithTimeout(300*time.Millisecond)) {
		if (i == 15) != errors.Is(err, pool.ErrTimeout) || i != 15 && (out != i || err != nil) {
			t.Fatalf("item %d: %d, %v", i, out, err)
		}
		i++
	}
	if i != 30 {
		t.Fatalf("%d items", i)
	}
}

func TestMap_RefusesOptionsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	for _, opts := range [][]pool.Option{
		{pool.Buffer(-1)}, {pool.Chunk(-1)}, {pool.Chunk(1 << 20)}, {pool.WithTimeout(-1)},
		{pool.WithTimeout(time.Second), pool.Chunk(2)}, {pool.WithRetry(pool.Retry{Max: -1})},
	} {
		n := 0
		for _, err := range pool.Map(b.ctx, b.Pool, noop, upTo(3), opts...) {
			if n++; !errors.Is(err, pool.ErrJob) {
				t.Errorf("got %v", err)
			}
		}
		if n != 1 {
			t.Errorf("%d items", n)
		}
	}
	for name, opt := range map[string]pool.Option{"Buffer": pool.Buffer(1), "Chunk": pool.Chunk(1), "FailFast": pool.FailFast()} {
		_, err := pool.Submit(b.ctx, b.Pool, noop, 1, opt)
		if !errors.Is(err, pool.ErrJob) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err = pool.Call(b.ctx, b.Pool, noop, 1, opt); !errors.Is(err, pool.ErrJob) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestMap_ItemsThatAreLargeTravelAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	in := func(yield func([]byte) bool) {
		for i := range 200 {
			size := 100 + i
			if i%50 == 49 {
				size = 3<<20 + i
			}
			if !yield(make([]byte, size)) {
				return
			}
		}
	}
	i := 0
	for out, err := range pool.Map(b.ctx, b.Pool, echo, in) {
		want := 100 + i
		if i%50 == 49 {
			want = 3<<20 + i
		}
		if err != nil || len(out) != want {
			t.Fatalf("item %d: %d bytes, %v", i, len(out), err)
		}
		i++
	}
}
