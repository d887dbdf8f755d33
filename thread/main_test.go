package thread

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// within returns a context that ends the waiting of a test that would hang.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// start starts th for as long as the test lasts.
func start(t testing.TB, th *Thread) *Thread {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if err := th.Start(ctx); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		<-th.Done()
	})
	return th
}
