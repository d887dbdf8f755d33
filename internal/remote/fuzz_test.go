package remote

import (
	"errors"
	"slices"
	"testing"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// FuzzSession serves any calls at all: a script of an operation, an id, the length
// of the payload, and the payload. None may make the session panic, answer twice, or
// leave a lock behind.
func FuzzSession(f *testing.F) {
	names := make([]string, 0, len(operations))
	for name := range operations {
		names = append(names, name)
	}
	slices.Sort(names)
	step := func(id byte, op string, args ...any) []byte {
		payload, err := task.Encode(nil, args)
		if err != nil {
			f.Fatal(err)
		}
		return append([]byte{byte(slices.Index(names, op)), id, byte(len(payload))}, payload...)
	}
	f.Add(slices.Concat(step(1, opLockAcquire, onLock, job1, true), step(2, opLockAcquire, onLock, job2, true), step(0, opLockRelease, onLock, job1)))
	f.Add(slices.Concat(step(0, opOwner, 3, "x"), step(1, opConditionWait, onCondition, 3), step(0, opOwnerEnd, 3, nil)))
	f.Add(slices.Concat(step(1, opLockAcquire, onRLock, job1, true), step(2, opConditionWait, onCondition, job1), step(3, opLockAcquire, onRLock, job2, true), step(4, opConditionNotify, onCondition, job2, -1), step(0, opLockRelease, onRLock, job2)))
	f.Add(slices.Concat(step(0, opQueuePut, onSmall, 0, 2, []byte("a"), []byte("b")), step(1, opQueueLease, onSmall, job1, true), step(2, opQueueReturn, onSmall, job1, 1), step(3, opQueueGet, onSmall, 0, true, 9)))
	f.Add(slices.Concat(step(1, opBarrierWait, onBarrier, 0), step(0, opCancel, 1), step(2, opBarrierState, onBarrier, 0), step(3, opBarrierReset, onBarrier, 0)))
	f.Add(slices.Concat(step(1, opCellsLoad, onCells, 0, 1), step(2, opCellsAdd, onCells, 0, 0, 2, []byte{1}), step(3, opCellsSnapshot, onCells, 0)))
	f.Add(slices.Concat(step(0, opPipeHold, onPipe, 0), step(0, opPipePut, onPipe, 0, 2, []byte("a")), step(1, opPipeGet, onPeer, 0, true, 1), step(2, opPipeClose, onPipe, 0)))
	f.Add(slices.Concat(step(1, opOpen, KindLock, "lock", "", 0, true, "", []any{[]byte{1}}), step(2, opSemaphoreAcquire, onSemaphore, job1, true, false), step(3, opSemaphoreAcquire, onSemaphore, job2, true, true)))
	f.Fuzz(func(t *testing.T, script []byte) {
		x := serve(newShelf())
		asked := map[uint64]bool{}
		for len(script) >= 3 {
			op, id := names[int(script[0])%len(names)], uint64(script[1])
			n := min(int(script[2]), len(script)-3)
			payload := script[3 : 3+n]
			script = script[3+n:]
			if asked[id] && id != 0 {
				continue // an id is never used again
			}
			asked[id] = true
			if err := x.Call(&ipc.Message{Kind: ipc.KindCall, ID: id, Name: []byte(op), Body: payload}); err != nil {
				if !errors.Is(err, ipc.ErrProtocol) {
					t.Fatalf("%s: %v is no violation", op, err)
				}
				break
			}
		}
		for id := range x.running {
			x.JobEnded(id, nil)
		}
		x.End(errors.New("gone"))
		seen := map[uint64]bool{}
		for _, r := range x.replies {
			if r.ID != 0 && (seen[r.ID] || !asked[r.ID]) {
				t.Fatalf("reply to %d, which was answered before, or never asked", r.ID)
			}
			seen[r.ID] = true
			if r.Status == ipc.StatusFailed && r.ID != 0 {
				if err, bad := decodeError(r.Payload); err == nil || bad != nil {
					t.Fatalf("failure %x: %v", r.Payload, bad)
				}
			}
		}
		if x.lock.Holder() != nil || x.rlock.Holder() != nil || len(x.open) > 0 {
			t.Fatal("something is left")
		}
	})
}

// silent takes calls and never answers.
type silent struct{}

func (silent) SendCall(uint64, string, []byte, bool) error { return nil }

// FuzzClient reads any replies at all.
func FuzzClient(f *testing.F) {
	f.Add([]byte{1, 0, 1, 0xc0})
	f.Add([]byte{1, 3, 1, 0x92, 1, 1, 2, 0xc3, 0xff})
	f.Add(append([]byte{0, 1, 6}, 0x93, 1, 2, 0xc4, 1, 0x80))
	f.Add([]byte{2, 1, 2, 0x92, 0xc4})
	f.Fuzz(func(t *testing.T, script []byte) {
		c := NewClient(silent{}, ipc.MaxMessage)
		answered := 0
		for id := range uint64(3) {
			k := c.fresh()
			k.then = func(k *exchange) {
				answered++
				if k.lost != nil {
					return
				}
				// Whatever the reply is read as, it ends.
				for _, read := range []func(s *scanner){
					func(s *scanner) { s.ref() }, func(s *scanner) { s.abandoned() }, func(s *scanner) { s.bin() },
					func(s *scanner) { s.identity() }, func(s *scanner) { s.array(); s.int(); s.bool() },
				} {
					s := scanner{b: k.body}
					read(&s)
				}
				if _, err := decodeError(k.body); err == nil && len(k.body) == 0 {
					t.Fatal("an error of no bytes")
				}
			}
			if err := c.start(t.Context(), k, opLockAcquire, true); err != nil {
				t.Fatalf("call %d: %v", id, err)
			}
		}
		for len(script) >= 3 {
			n := min(int(script[2]), len(script)-3)
			m := &ipc.Message{Kind: ipc.KindReply, ID: uint64(script[0]), Status: ipc.Status(script[1] & 3), Body: script[3 : 3+n]}
			script = script[3+n:]
			if err := c.Reply(m); err != nil {
				if !errors.Is(err, ipc.ErrProtocol) {
					t.Fatalf("%v is no violation", err)
				}
				break
			}
		}
		c.Lost(nil)
		if answered != 3 || len(c.calls) > 0 {
			t.Fatalf("%d of 3 calls have ended", answered)
		}
	})
}
