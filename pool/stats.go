package pool

import (
	"maps"
	"time"
)

// Stats is a moment in the life of a pool. What counts from the beginning on says
// so; the rest is a state.
type Stats struct {
	Slots   int // right to run a job: Config.Workers, or what Resize has said
	Free    int // slots that nobody has
	Kept    int // slots that are kept for jobs which take several, and have not started
	Queued  int // jobs that wait for a slot
	Waiting int // jobs that wait for their next attempt, or for Pool.Again, without a slot
	Running int // jobs that were sent to a worker, or run as a command, and have not ended

	Workers []WorkerStats // alive, by age

	Submitted uint64 // jobs that were taken, since New
	Ended     map[Outcome]uint64
	Retried   uint64 // attempts that were followed by another, since New
	Started   uint64 // workers that were started, since New
	Recycled  uint64 // workers that were ended because of MaxJobs, MaxAge, MaxMemory or IdleTimeout, or by Resize, since New
	Lost      uint64 // workers that ended without being asked to, since New
}

// WorkerStats is a worker in Stats.
type WorkerStats struct {
	Name    string
	PID     int // 0 while it is being started
	Program string
	State   WorkerState
	Slot    int           // 0 = none: it starts, is idle or stops
	Age     time.Duration // since it was ready
	Jobs    int           // it has answered
	Flight  int           // it was sent and has not answered
	Memory  int64         // resident bytes after its last job; 0 = not measured: see Program.MaxMemory
	Silent  time.Duration // since it was last heard of, while it owes an answer to a heartbeat; else 0
}

// WorkerState is what a worker is doing.
type WorkerState string

const (
	WorkerStarting WorkerState = "starting"
	WorkerIdle     WorkerState = "idle"
	WorkerBusy     WorkerState = "busy"     // it answers heartbeats, however long its job takes
	WorkerStuck    WorkerState = "stuck"    // it does not
	WorkerStopping WorkerState = "stopping" // it gets no more jobs
)

// Stats returns what the pool is doing. It does not wait, and costs about a
// microsecond for each worker.
func (p *Pool) Stats() Stats {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Slots, s.Free, s.Waiting, s.Running = p.slots, len(p.free), len(p.waiting), len(p.running)
	s.Lost = uint64(p.lost)
	s.Ended = maps.Clone(p.ended)
	for _, c := range p.order {
		s.Queued += c.queue.len()
	}
	for _, j := range p.reservers(nil) {
		s.Queued++
		s.Kept += len(j.pending.wide.slots)
	}
	for _, w := range p.workers {
		ws := WorkerStats{
			Name: w.name, PID: w.pid(), Program: w.class.name, State: w.doing(), Slot: w.slot,
			Jobs: w.answered, Flight: w.flight.n, Memory: w.memory,
		}
		switch {
		case w.state == workerStarting:
			ws.Flight = 0 // what prepares it is no job
		case !w.lived.IsZero():
			ws.Age = now.Sub(w.lived)
		}
		if !w.pinged.IsZero() && ws.Flight > 0 {
			ws.Silent = max(0, now.Sub(w.pinged))
		}
		s.Running += ws.Flight
		s.Workers = append(s.Workers, ws)
	}
	return s
}

func (w *worker) doing() WorkerState {
	switch {
	case w.state == workerStarting:
		return WorkerStarting
	case w.dead || w.state == workerStopping || w.leaving:
		return WorkerStopping
	case w.flight.n == 0:
		return WorkerIdle
	case w.stuck:
		return WorkerStuck
	}
	return WorkerBusy
}
