package process

import (
	"testing"
	"time"

	"github.com/feac4032/multiproc/ipc"
)

// A worker may hold a quarter of its credit back until it has got more.
func TestSend_GoesAsFarAsThereIsCredit(t *testing.T) {
	t.Parallel()
	x := &exchange{credit: ipc.MaxInline * 3 / 4}
	x.changed.L = &x.mu
	got := make(chan int)
	go func() {
		_, n, _ := x.next(make([]byte, 2*ipc.MaxInline))
		got <- n
	}()
	select {
	case n := <-got:
		if n != ipc.MaxInline*3/4 || x.credit != 0 {
			t.Errorf("%d bytes are sent, credit for %d is left", n, x.credit)
		}
	case <-time.After(5 * time.Second):
		t.Error("it waits for credit that does not come")
	}
}
