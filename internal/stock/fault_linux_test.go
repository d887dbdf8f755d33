package stock

import (
	"syscall"
	"testing"
)

func TestSegfault_DiesOfSignal11(t *testing.T) {
	t.Parallel()
	state, _ := inChild(t, "segfault")
	if ws := state.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != syscall.SIGSEGV {
		t.Errorf("ended by %v, want SIGSEGV", state)
	}
}
