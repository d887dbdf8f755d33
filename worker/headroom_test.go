package worker

import (
	"os"
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/feac4032/multiproc/ipc"
)

// heapGoal is the size of the heap at which it will be collected.
func heapGoal() uint64 {
	runtime.GC()
	goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(goal)
	return goal[0].Value.Uint64()
}

// Not parallel: the heap and the environment are everybody's.
func TestServe_LongArgumentsAreNotCollectedOneByOne(t *testing.T) {
	for name, want := range map[string]bool{"": true, "GOGC": false, "GOMEMLIMIT": false} {
		for _, other := range []string{"GOGC", "GOMEMLIMIT"} {
			t.Setenv(other, "")
			os.Unsetenv(other)
		}
		if name != "" {
			t.Setenv(name, "100")
		}
		var view *ipc.Arena
		l := setup(t, withArena(t, &view))
		before := heapGoal()
		payload := encoded(make([]byte, ipc.MaxInline+1))
		frame, err := view.Out.Put(nil, 1, payload)
		if err != nil {
			t.Fatal(err)
		}
		l.send(ipc.AppendJobSize(nil, 1, "test.length", 1, 0, "", "", len(payload)), frame)
		l.result(1, ipc.StatusOK)
		if got := heapGoal() >= before+headroom; got != want {
			t.Errorf("%q is set: room for more is %v, want %v", name, got, want)
		}
		runtime.KeepAlive(l.srv)
	}
}
