package process

import (
	"sync"
	"time"

	"github.com/feac4032/multiproc/internal/spawn"
)

// leakGrace is how long output is read after the end of a process of whose tree
// somebody could not be killed, who may hold the pipes for ever.
const leakGrace = time.Second

// run is a process that was started. Fields without a remark do not change.
type run struct {
	name string
	opts options // env and dir are set
	proc *spawn.Process
	out  *outputs
	in   *input    // nil for a task
	x    *exchange // nil for a command

	mu       sync.Mutex
	lifetime error // why the lifetime has ended, nil if it has not
}

// expire is the end of the lifetime. It is not what has ended a process that has
// ended already.
func (r *run) expire(why error) {
	select {
	case <-r.proc.Exited():
		return
	default:
	}
	r.mu.Lock()
	r.lifetime = why
	r.mu.Unlock()
	// If the guardian cannot be told it is dead, and the process with it.
	_ = r.proc.Stop(r.opts.killAfter)
}

func (r *run) terminate() error { return r.proc.Terminate() }

func (r *run) killAll() error { return r.proc.Kill() }

func (r *run) interrupt() error {
	if r.x != nil {
		return r.x.interrupt()
	}
	return r.proc.Interrupt()
}

// follow waits for the end of the process and of all that it had to say.
func (r *run) follow() *outcome {
	var reading sync.WaitGroup
	r.out.copy(&reading)
	if r.in != nil {
		go r.in.copy() // not waited for: its reader may block
	}
	if r.x != nil {
		reading.Go(func() { r.x.run(r.opts.startTimeout, r.out.stdout.write) })
	}
	<-r.proc.Done()
	status := r.proc.Status()
	if r.in != nil {
		r.in.close()
	}
	if !status.TreeEmpty || len(status.Leaked) > 0 {
		r.out.expire(time.Now().Add(leakGrace))
		if r.x != nil {
			late := time.AfterFunc(leakGrace, func() { r.x.c.Link.Close() })
			defer late.Stop()
		}
	}
	reading.Wait()
	var tooLate error
	if r.x != nil {
		tooLate = r.x.close()
	}
	return r.judge(&status, tooLate)
}
