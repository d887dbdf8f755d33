package worker

import (
	"bytes"
	"io"
	"runtime"

	"github.com/feac4032/multiproc/ipc"
)

// maxOthers bounds what is written of goroutines that run no job, in bytes.
const maxOthers = 48 << 10

// writeStacks writes what all goroutines are doing, as Go itself does at SIGQUIT,
// but with the stacks of jobs last and without what has called them. Go's own way
// has no stack of a goroutine that computes.
func writeStacks(w io.Writer) { w.Write(arrange(allStacks())) }

// allStacks stops the world for a moment.
func allStacks() []byte {
	for size := 1 << 20; ; size *= 8 {
		buf := make([]byte, size)
		n := runtime.Stack(buf, true)
		if n < size || size >= 64<<20 {
			return buf[:n]
		}
	}
}

// calls are the lines from which on a stack is that of a runner, and no longer of
// the job.
var calls = [][]byte{
	[]byte("\ngithub.com/feac4032/multiproc/worker.(*runner).execute("),
	[]byte("\ngithub.com/feac4032/multiproc/worker.(*runner).runItems("),
}

// arrange puts the stacks of jobs behind the others.
func arrange(stacks []byte) []byte {
	var others, jobs []byte
	for stack := range bytes.SplitSeq(stacks, []byte("\n\n")) {
		own := -1
		for _, call := range calls {
			if i := bytes.Index(stack, call); i >= 0 && (own < 0 || i < own) {
				own = i
			}
		}
		switch {
		case own >= 0:
			jobs = append(append(append(jobs, "\n"+ipc.StackMark...), stack[:own]...), '\n')
		case len(others)+len(stack) <= maxOthers:
			others = append(append(others, stack...), "\n\n"...)
		}
	}
	return append(append([]byte("SIGQUIT: quit\n\n"), others...), jobs...)
}
