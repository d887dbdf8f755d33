package owner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// thing is a party that notes in what order its owner's end is told.
type thing struct {
	name string
	told *[]string
}

func (x *thing) OwnerEnded(*Owner) { *x.told = append(*x.told, x.name) }

func TestOwner_EndTellsEveryPartyOnceLastToFirst(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, maxFew, maxFew + 1, 5 * maxFew} {
		var told, want []string
		o := New(Identity{Name: "o"})
		var things []*thing
		for i := range n {
			x := &thing{fmt.Sprint(i), &told}
			things = append(things, x)
			for range 1 + i%3 {
				if !o.Enter(x) {
					t.Fatal("refused")
				}
			}
		}
		for i, x := range things {
			if i%2 == 0 {
				o.Leave(x) // those that were entered once are out
			}
			if i%2 == 1 || i%3 != 0 {
				want = append(want, x.name)
			}
		}
		var listed []string
		for _, p := range o.Parties() {
			listed = append(listed, p.(*thing).name)
		}
		if !slices.Equal(listed, want) {
			t.Fatalf("%d: parties %v, want %v", n, listed, want)
		}
		slices.Reverse(want)
		o.End(nil)
		o.End(errors.New("again"))
		if !slices.Equal(told, want) {
			t.Fatalf("%d: told %v, want %v", n, told, want)
		}
		if len(o.Parties()) != 0 {
			t.Fatal("parties are left")
		}
	}
}

func TestOwner_HasNothingAfterItsEnd(t *testing.T) {
	t.Parallel()
	var told []string
	a, b := &thing{"a", &told}, &thing{"b", &told}
	o := New(Identity{Name: "o", PID: 7, Job: "j"})
	if o.Ended() || !o.Enter(a) {
		t.Fatal("it has ended")
	}
	cause := errors.New("killed")
	o.End(cause)
	if !o.Ended() || o.Enter(b) || o.Exchange(a, b) || o.Leave(a) {
		t.Fatal("it goes on after its end")
	}
	left := o.Abandoned()
	if left.Cause != cause || left.Identity != o.Identity() || left.String() != "o (pid 7)" {
		t.Fatalf("%+v", left)
	}
	if !slices.Equal(told, []string{"a"}) {
		t.Fatal(told)
	}
}

func TestOwner_ExchangesAWaitForAHold(t *testing.T) {
	t.Parallel()
	var told []string
	a, b := &thing{"a", &told}, &thing{"b", &told}
	o := New(Identity{})
	o.Enter(a)
	if !o.Exchange(a, b) {
		t.Fatal("refused")
	}
	o.Leave(a)
	o.End(nil)
	if !slices.Equal(told, []string{"b"}) {
		t.Fatal(told)
	}
}

func TestOwner_NilIsNobody(t *testing.T) {
	t.Parallel()
	var o *Owner
	x := &thing{}
	if !o.Enter(x) || !o.Exchange(x, x) || !o.Leave(x) {
		t.Fatal("nobody has ended")
	}
	if err := o.Wait(&room{}); err != nil {
		t.Fatal(err)
	}
	if w, err := o.WaitAnyway(&room{}); w != nil || err != nil {
		t.Fatal(w, err)
	}
	o.Unwait(&room{})
}

func TestOwner_InAContext(t *testing.T) {
	t.Parallel()
	if From(t.Context()) != nil {
		t.Fatal("an owner from nowhere")
	}
	o, other := New(Identity{}), New(Identity{})
	if o.ID() == other.ID() {
		t.Fatal("two owners have one number")
	}
	ctx, cancel := context.WithCancel(With(t.Context(), o))
	defer cancel()
	if From(ctx) != o {
		t.Fatal("another owner")
	}
}

// counter is a party that holds at most what was entered.
type counter struct{ has, ends atomic.Int32 }

func (c *counter) OwnerEnded(*Owner) { c.ends.Add(1) }

// Whoever was told "entered", and has not left, is told of the end; whoever was
// told "ended" is not.
func TestOwner_EndMeetsEveryEnter(t *testing.T) {
	t.Parallel()
	for range 200 {
		o := New(Identity{})
		parties := make([]counter, 8)
		var all sync.WaitGroup
		for i := range parties {
			all.Go(func() {
				for range 20 {
					if !o.Enter(&parties[i]) {
						return
					}
					if !o.Leave(&parties[i]) {
						parties[i].has.Add(1)
						return
					}
				}
				if o.Enter(&parties[i]) {
					parties[i].has.Add(1)
				}
			})
		}
		all.Go(func() { o.End(nil) })
		all.Wait()
		for i := range parties {
			if ends, has := parties[i].ends.Load(), parties[i].has.Load(); ends != has {
				t.Fatalf("told %d times, had %d", ends, has)
			}
		}
	}
}

func BenchmarkOwner_EnterAndLeave(b *testing.B) {
	for _, n := range []int{0, 8, maxFew - 1, 1000} {
		b.Run(fmt.Sprint(n, "parties"), func(b *testing.B) {
			o := New(Identity{})
			for range n {
				o.Enter(new(counter))
			}
			x := new(counter)
			b.ReportAllocs()
			for b.Loop() {
				o.Enter(x)
				o.Leave(x)
			}
		})
	}
}
