//go:build unix

package queue_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/feac4032/multiproc/queue"
)

func init() {
	children["putForever"] = putForever
	children["putAndExit"] = putAndExit
	children["echo"] = echo
	children["getOne"] = getOne
}

type piece struct {
	Seq int
	Pad []byte
}

func intact(p piece) bool {
	for _, c := range p.Pad {
		if c != byte(p.Seq) {
			return false
		}
	}
	return len(p.Pad) == padding(p.Seq)
}

// padding makes every fourth item larger than a pipe.
func padding(seq int) int {
	if seq%4 == 0 {
		return 300 << 10
	}
	return 100
}

func pieceOf(seq int) piece {
	p := piece{Seq: seq, Pad: make([]byte, padding(seq))}
	for i := range p.Pad {
		p.Pad[i] = byte(seq)
	}
	return p
}

func putForever(ctx context.Context) error {
	q := queue.OverPipes[piece](nil, os.Stdout)
	for seq := 0; ; seq++ {
		if err := q.Put(ctx, pieceOf(seq)); err != nil {
			return err
		}
	}
}

const exitItems = 200

func putAndExit(ctx context.Context) error {
	q := queue.OverPipes[int](nil, os.Stdout)
	for i := range exitItems {
		if err := q.Put(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// echo finds its inherited stdin empty at first, and must be able to give up.
func echo(ctx context.Context) error {
	q := queue.OverPipes[string](os.Stdin, os.Stdout)
	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	if _, err := q.Get(short); !errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(errors.New("Get of an empty stdin"), err)
	}
	if _, err := q.TryGet(ctx); !errors.Is(err, queue.ErrEmpty) {
		return errors.Join(errors.New("TryGet of an empty stdin"), err)
	}
	if err := q.Put(ctx, "ready"); err != nil {
		return err
	}
	for v, err := range q.All(ctx) {
		if err != nil {
			return err
		}
		if err := q.Put(ctx, v); err != nil {
			return err
		}
	}
	return q.Close()
}

func getOne(ctx context.Context) error {
	_, err := queue.OverPipes[[]byte](os.Stdin, nil).Get(ctx)
	return err
}

// start runs the test binary as a child, with pipes as its stdin and stdout, and
// returns this side's ends.
func start(t *testing.T, name string) (cmd *exec.Cmd, toChild, fromChild *os.File) {
	t.Helper()
	inR, inW := pipeEnds(t)
	outR, outW := pipeEnds(t)
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMarker+"="+name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	inR.Close()
	outW.Close()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, inW, outR
}

func TestPipes_KilledPutterLeavesWholeItems(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 1, 4, 6} {
		cmd, w, r := start(t, "putForever")
		w.Close()
		q := queue.OverPipes[piece](r, nil)
		seq := 0
		next := func() error {
			v, err := q.Get(t.Context())
			if err != nil {
				return err
			}
			if v.Seq != seq || !intact(v) {
				t.Fatalf("item %d came as item %d, intact = %v", seq, v.Seq, intact(v))
			}
			seq++
			return nil
		}
		for range before {
			if err := next(); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		var err error
		for err == nil {
			err = next()
		}
		if !errors.Is(err, queue.ErrLost) && !errors.Is(err, queue.ErrClosed) {
			t.Errorf("after the putter's death: %v, want ErrLost or ErrClosed", err)
		}
		if _, again := q.Get(t.Context()); again == nil || again.Error() != err.Error() {
			t.Errorf("second Get: %v, want %v again", again, err)
		}
	}
}

func TestPipes_PutterMayExitAtOnce(t *testing.T) {
	t.Parallel()
	cmd, w, r := start(t, "putAndExit")
	w.Close()
	if err := cmd.Wait(); err != nil { // joined before the first Get
		t.Fatal(err)
	}
	want := 0
	for v, err := range queue.OverPipes[int](r, nil).All(t.Context()) {
		if err != nil || v != want {
			t.Fatalf("got %d, %v, want %d", v, err, want)
		}
		want++
	}
	if want != exitItems {
		t.Errorf("%d items came, want %d", want, exitItems)
	}
}

func TestPipes_StdinAndStdoutAreAQueue(t *testing.T) {
	t.Parallel()
	cmd, w, r := start(t, "echo")
	q := queue.OverPipes[string](r, w)
	for i, want := range []string{"ready", "", "two", string(make([]byte, 1<<20))} {
		if i > 0 {
			if err := q.Put(t.Context(), want); err != nil {
				t.Fatal(err)
			}
		}
		got, err := q.Get(t.Context())
		if err != nil || got != want {
			t.Fatalf("got %d bytes, %v, want %d", len(got), err, len(want))
		}
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Get(t.Context()); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Get after both sides closed: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestPipes_PutIsLostWhenTheGetterIsGone(t *testing.T) {
	t.Parallel()
	cmd, w, r := start(t, "getOne")
	r.Close()
	q := queue.OverPipes[[]byte](nil, w)
	defer q.Shutdown()
	if err := q.Put(t.Context(), []byte("one")); err != nil {
		t.Fatal(err)
	}
	// Larger than any pipe: this Put waits until the child is gone.
	if err := q.Put(t.Context(), make([]byte, 8<<20)); !errors.Is(err, queue.ErrLost) {
		t.Errorf("Put that waited for a getter that ended: %v, want ErrLost", err)
	}
	if err := q.Put(t.Context(), nil); !errors.Is(err, queue.ErrLost) {
		t.Errorf("Put after that: %v, want ErrLost", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
