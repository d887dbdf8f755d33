package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/feac4032/multiproc/internal/faulttest"
	"github.com/feac4032/multiproc/ipc"
)

func init() {
	for name, f := range map[string]fault{
		"SIGKILL":                 once(func(w *faulttest.Worker) { w.Begin(); kill(syscall.SIGKILL) }),
		"SIGSEGV":                 once(func(w *faulttest.Worker) { w.Begin(); faulttest.DieOf(syscall.SIGSEGV) }),
		"abort":                   once(func(w *faulttest.Worker) { w.Begin(); last("assertion failed"); faulttest.DieOf(syscall.SIGABRT) }),
		"panic":                   once(func(w *faulttest.Worker) { w.Begin(); go panic("aargh"); faulttest.Hang() }),
		"fatal error of Go":       once(func(w *faulttest.Worker) { w.Begin(); new(sync.Mutex).Unlock() }),
		"exit 0 without a result": once(func(w *faulttest.Worker) { w.Begin() }),
		"exit 3 without a result": once(func(w *faulttest.Worker) { w.Begin(); last("no space"); os.Exit(3) }),
		"exit after the result":   once(func(w *faulttest.Worker) { w.Answer(w.BeginPaged()); os.Exit(5) }),
		"SIGKILL with the result in the ring": once(func(w *faulttest.Worker) {
			m := w.BeginPaged()
			w.Publish(ipc.AppendFrame(nil, ipc.AppendResult(nil, m.ID, ipc.StatusOK, m.Body)))
			kill(syscall.SIGKILL)
		}),
		"SIGKILL with half of the result in the ring": once(func(w *faulttest.Worker) {
			m := w.BeginPaged()
			b := ipc.AppendFrame(nil, ipc.AppendResult(nil, m.ID, ipc.StatusOK, m.Body))
			w.Publish(b[:len(b)-1])
			kill(syscall.SIGKILL)
		}),
		"SIGSTOP":                   once(func(w *faulttest.Worker) { w.Begin(); faulttest.Stop() }),
		"SIGSTOP before the start":  once(func(w *faulttest.Worker) { w.ReadyPaged(); faulttest.Stop() }),
		"hang":                      once(func(w *faulttest.Worker) { w.Begin(); faulttest.Hang() }),
		"ignores SIGTERM":           once(func(w *faulttest.Worker) { signal.Ignore(syscall.SIGTERM); w.Begin(); faulttest.Hang() }),
		"death before ready":        once(func(*faulttest.Worker) { last("no model"); os.Exit(3) }),
		"SIGKILL before ready":      once(func(w *faulttest.Worker) { w.Greet(); kill(syscall.SIGKILL) }),
		"never ready":               once(func(*faulttest.Worker) { faulttest.Hang() }),
		"crash loop at start":       always(func(*faulttest.Worker) { last("no model"); os.Exit(3) }),
		"crash loop between jobs":   always(func(w *faulttest.Worker) { w.ReadyPaged(); w.Job(); os.Exit(4) }),
		"job that kills any worker": always(func(w *faulttest.Worker) { w.Begin(); kill(syscall.SIGKILL) }),
		"gives every job back": always(func(w *faulttest.Worker) {
			w.ReadyPaged()
			w.Send(ipc.AppendResult(nil, w.Job().ID, ipc.StatusRecalled, nil))
		}),
		"daemon that holds the link": once(func(w *faulttest.Worker) { w.Begin(); w.Daemon("daemon") }),
		"closes its output":          once(func(w *faulttest.Worker) { w.Begin(); w.Out.Close(); faulttest.Hang() }),
	} {
		faults[name] = f
	}
	for name, command := range map[string]func(){
		"SIGKILL":         func() { kill(syscall.SIGKILL) },
		"SIGSEGV":         func() { faulttest.DieOf(syscall.SIGSEGV) },
		"abort":           func() { last("assertion failed"); faulttest.DieOf(syscall.SIGABRT) },
		"panic":           func() { panic("aargh") },
		"exit 3":          func() { last("no model"); os.Exit(3) },
		"SIGSTOP":         faulttest.Stop,
		"hang":            faulttest.Hang,
		"ignores SIGTERM": func() { signal.Ignore(syscall.SIGTERM); faulttest.Hang() },
	} {
		commands[name] = command
	}
}

// kill sends this process a signal that it cannot outlive.
func kill(sig syscall.Signal) {
	syscall.Kill(os.Getpid(), sig)
	faulttest.Hang()
}

// last says the last words.
func last(words string) { fmt.Fprintln(os.Stderr, words) }
