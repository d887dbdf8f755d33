package pool

import (
	"testing"
	"unsafe"
)

// What is larger than 512 bytes costs the allocator and the collector more.
func TestFuture_FitsASizeClass(t *testing.T) {
	if n := unsafe.Sizeof(Future[int]{}); n > 512 {
		t.Errorf("a future has %d bytes", n)
	}
}
