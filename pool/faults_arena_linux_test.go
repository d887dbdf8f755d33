package pool_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"

	"github.com/feac4032/multiproc/internal/faulttest"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/pool"
)

// places makes a worker with an arena that answers its first job with a payload of
// size bytes, and then sends frames about it.
func places(size int, frames func(id uint64) [][]byte) func(*faulttest.Worker) {
	return func(f *faulttest.Worker) {
		f.Ready(ipc.CapArena)
		m := f.Job()
		f.Send(ipc.AppendResultSize(nil, m.ID, ipc.StatusOK, size))
		for _, b := range frames(m.ID) {
			f.Send(b)
		}
		faulttest.Hang()
	}
}

// lieAboutTaken makes a worker with an arena that says that it has taken bytes
// which were not put there.
func lieAboutTaken(n uint64) func(*faulttest.Worker) {
	return func(f *faulttest.Worker) {
		f.OpenPage()
		binary.NativeEndian.PutUint64(f.Mem[24:], n)
		f.Ready(ipc.CapArena)
		f.Job()
		faulttest.Hang()
	}
}

// arenas is what goes wrong in shared memory.
var arenas = []fault{
	{name: "a place beyond the arena", want: pool.Protocol, evidence: "100 bytes at 1099511627776 of an arena",
		play: places(100, func(id uint64) [][]byte { return [][]byte{ipc.AppendPlace(nil, id, 1<<40, 100)} })},
	{name: "a place that ends beyond the arena", want: pool.Protocol, evidence: fmt.Sprintf("100 bytes at %d of an arena", ipc.ArenaHalf-99),
		play: places(100, func(id uint64) [][]byte { return [][]byte{ipc.AppendPlace(nil, id, ipc.ArenaHalf-99, 100)} })},
	{name: "a place of 2^64-1 bytes", want: pool.Protocol, evidence: "bytes at 1 of an arena",
		play: places(100, func(id uint64) [][]byte { return [][]byte{ipc.AppendPlace(nil, id, 1, 1<<64-1)} })},
	{name: "a place of more than was announced", want: pool.Protocol, evidence: "more than the 100 bytes",
		play: places(100, func(id uint64) [][]byte { return [][]byte{ipc.AppendPlace(nil, id, 0, 101)} })},
	{name: "a place of another job", want: pool.Protocol, evidence: "which is not open",
		play: places(100, func(id uint64) [][]byte { return [][]byte{ipc.AppendPlace(nil, id+1, 0, 100)} })},
	{name: "places that overlap", want: pool.Protocol, evidence: "payload for job 1",
		play: places(100, func(id uint64) [][]byte {
			return [][]byte{ipc.AppendPlace(nil, id, 0, 60), ipc.AppendPlace(nil, id, 30, 40)} // zeros, which are no value of 100 bytes
		})},
	{name: "a place after the payload", want: pool.OK, evidence: "which is not open",
		play: func(f *faulttest.Worker) {
			f.OpenPage()
			f.Send(f.ReadyBody(nil, ipc.CapPage, ipc.CapArena))
			m := f.Job()
			f.Page.SetStarted(0, m.ID)
			f.Send(ipc.AppendResultSize(nil, m.ID, ipc.StatusOK, len(m.Body)))
			frame, err := f.Arena.Out.Put(nil, m.ID, m.Body)
			faulttest.Must(err)
			f.Send(frame)
			f.Send(frame)
			faulttest.Hang()
		}},
	{name: "a place without the capability", want: pool.Protocol, evidence: "no arena is in use",
		play: func(f *faulttest.Worker) {
			m := f.Begin()
			f.Send(ipc.AppendResultSize(nil, m.ID, ipc.StatusOK, 100))
			f.Send(ipc.AppendPlace(nil, m.ID, 0, 100))
			faulttest.Hang()
		}},
	{name: "takes from the arena what is not there", want: pool.Protocol, evidence: "bytes of the arena were taken", job: quarter, play: lieAboutTaken(1)},
	{name: "takes 2^64-1 bytes from the arena", want: pool.Protocol, evidence: "bytes of the arena were taken", job: quarter, play: lieAboutTaken(1<<64 - 1)},
	{name: "result in the arena, its frames in the ring, then SIGKILL", want: pool.OK, evidence: "SIGKILL",
		play: func(f *faulttest.Worker) {
			f.OpenPage()
			f.Send(f.ReadyBody(func(r *ipc.Ready) { r.Window = 64 }, ipc.CapPage, ipc.CapCancel, ipc.CapArena))
			m := f.Job()
			f.Page.SetStarted(0, m.ID)
			frame, err := f.Arena.Out.Put(nil, m.ID, m.Body)
			faulttest.Must(err)
			f.Publish(append(ipc.AppendFrame(nil, ipc.AppendResultSize(nil, m.ID, ipc.StatusOK, len(m.Body))), ipc.AppendFrame(nil, frame)...))
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}},
	{name: "half of the result in the arena, then SIGKILL", want: pool.Crashed, evidence: "SIGKILL, sender unknown",
		play: func(f *faulttest.Worker) {
			f.OpenPage()
			f.Ready(ipc.CapArena)
			m := f.Job()
			frame, err := f.Arena.Out.Put(nil, m.ID, m.Body)
			faulttest.Must(err)
			f.Send(ipc.AppendResultSize(nil, m.ID, ipc.StatusOK, 2*len(m.Body)))
			f.Send(frame)
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}},
}

// quarter gives the job an argument of 256 KiB.
func quarter(j *pool.Job) {
	j.Task = echo.Name()
	j.Payload, _ = echo.EncodeIn(nil, make([]byte, 256<<10))
}
