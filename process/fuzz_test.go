//go:build unix

package process

import (
	"errors"
	"testing"

	"github.com/feac4032/multiproc/internal/child"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/task"
)

// FuzzExchange feeds an exchange, whose job was sent, with a worker's frames.
func FuzzExchange(f *testing.F) {
	frames := func(bodies ...[]byte) (b []byte) {
		for _, body := range bodies {
			b = ipc.AppendFrame(b, body)
		}
		return b
	}
	failure := task.NewFailure(errOutOfPaper).Append(nil)
	f.Add(frames(answer(1)))
	f.Add(frames(answer(1), answer(1)))
	f.Add(frames(ipc.AppendResult(nil, 1, ipc.StatusFailed, failure)))
	f.Add(frames(ipc.AppendResult(nil, 1, ipc.StatusCancelled, failure[:4])))
	f.Add(frames(ipc.AppendResult(nil, 1, ipc.StatusRecalled, nil)))
	f.Add(frames(sized(ipc.MaxInline+2), ipc.AppendData(nil, 1, make([]byte, ipc.MaxInline)), ipc.AppendData(nil, 1, []byte{1, 2})))
	f.Add(frames(ipc.AppendCall(nil, 1, "op", []byte{1}), ipc.AppendPing(nil, 3), ipc.AppendCredit(nil, 1<<41), ipc.AppendLog(nil, 0, 2, "x", nil)))
	f.Add(frames(ipc.AppendCall(nil, 0, "cancel", []byte{0x91, 1}), ipc.AppendCall(nil, 2, "semaphore.value", []byte{0x92, 1, 2})))
	m := manager.New()
	f.Cleanup(func() { m.Close() })
	f.Fuzz(func(t *testing.T, stream []byte) {
		x := newExchange(&child.Child{}, &options{name: "p", killAfter: defaultKillAfter, ownLogger: true}, "t", nil)
		x.credit, x.sent = 0, true
		x.own = owner.New(owner.Identity{Name: "p"})
		x.writing = true // nothing is: there is no link
		x.serveCalls(m, 0)
		defer x.close()
		answers := 0
		for len(stream) >= 4 {
			n := int(stream[2])<<8 | int(stream[3])
			body := stream[4:]
			body = body[:min(n, len(body))]
			stream = stream[4+len(body):]
			m, err := ipc.Parse(body)
			if err != nil {
				return
			}
			before := x.answered
			if err := x.take(&m); err != nil {
				if !errors.Is(err, ipc.ErrProtocol) {
					t.Fatalf("%v is no protocol error", err)
				}
				return
			}
			if x.answered && !before {
				answers++
			}
			if (x.failure != nil) != (x.answered && (x.status == ipc.StatusFailed || x.status == ipc.StatusCancelled)) {
				t.Fatalf("status %v with failure %v", x.status, x.failure)
			}
		}
		if answers > 1 || len(x.control) > controlMax {
			t.Fatalf("%d answers, %d frames wait", answers, len(x.control))
		}
	})
}
