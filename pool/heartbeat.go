package pool

import (
	"fmt"
	"time"

	"github.com/feac4032/multiproc/ipc"
)

// A worker is dead when its link or its process has ended. It is slow when its job
// takes long, and stuck when it does not even answer a heartbeat: that is sent to
// workers with jobs only, and any frame of theirs is an answer.
const (
	heartbeat   = time.Second
	silentAfter = 15 * time.Second
)

// epoch is what times that are stored in words are counted from.
var epoch = time.Now()

// hear notes that the worker has been heard of.
func (w *worker) hear() { w.heard.Store(int64(time.Since(epoch))) }

// listen sends heartbeats and judges how long they are not answered. It returns
// what is to be told. The caller holds mu.
func (w *worker) listen(now time.Time, lost time.Duration, a *actions) (told *WorkerEvent) {
	if !w.pongs || w.kill != notKilled {
		return nil
	}
	limit := w.class.prog.StuckAfter
	every, silent := heartbeat, silentAfter
	if limit > 0 {
		every, silent = min(every, limit/4), min(silent, limit/2)
	}
	heard := epoch.Add(time.Duration(w.heard.Load()))
	if w.pinged.IsZero() || heard.After(w.pinged) {
		if w.stuck {
			w.stuck = false
			told = w.tellOf(now, WorkerRecovered, "answers again")
		}
		w.pinged = time.Time{}
		if now.Sub(heard) >= every {
			w.pinged = now
			w.pings++
			w.control = append(w.control, ipc.AppendPing(nil, w.pings))
			w.creditUp.Broadcast()
			w.kick(a)
		}
		return told
	}
	if w.pinged = w.pinged.Add(lost); lost > 0 || !w.waiting.Load() {
		return nil // what there is to read is read first: it may be the answer
	}
	quiet := now.Sub(w.pinged)
	if quiet >= silent && !w.stuck {
		w.stuck = true
		told = w.tellOf(now, WorkerSilent, fmt.Sprintf("has not answered a heartbeat for %v", quiet.Round(time.Millisecond)))
	}
	if limit > 0 && quiet >= limit {
		w.killLocked(killedStuck, fmt.Sprintf("answered no heartbeat for %v", limit))
	}
	return told
}

// tellOf makes an event, and a line of the log. The caller holds mu.
func (w *worker) tellOf(now time.Time, kind WorkerEventKind, what string) *WorkerEvent {
	e := &WorkerEvent{Time: now, Kind: kind, Worker: w.name, PID: w.pid(), Slot: w.slot, Evidence: what}
	for _, r := range w.runs {
		if j := w.flight.get(r.id); j != nil {
			e.Job = label(j)
			break
		}
	}
	return e
}
