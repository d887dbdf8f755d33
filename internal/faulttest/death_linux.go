package faulttest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/feac4032/multiproc/internal/boot"
)

// Hang does nothing, for longer than any test.
func Hang() {
	for {
		time.Sleep(time.Hour)
	}
}

// Stop stops this process as a terminal does.
func Stop() {
	syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	Hang()
}

// DieOf ends this process by a signal. A shell takes its place before: Go's
// runtime would make a report of the signal, and exit.
func DieOf(sig syscall.Signal) {
	err := syscall.Exec("/bin/sh", []string{"sh", "-c", fmt.Sprintf("ulimit -c 0; kill -%d $$", sig)}, os.Environ())
	fmt.Fprintln(os.Stderr, err)
}

// Daemon starts a process that outlives this one, out of its session and without
// its environment, and has all its descriptors. It writes the process's id to a
// file, and returns when it is there.
func (w *Worker) Daemon(pidFile string) {
	cmd := exec.Command("/bin/sh", "-c", `setsid sleep 60 & echo $! >"$0"`, pidFile)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.NewFile(uintptr(boot.In), "in"), w.Out, os.Stderr
	Must(cmd.Run())
	// It has left the session when it is what it was to become.
	b, err := os.ReadFile(pidFile)
	Must(err)
	for name := ""; name != "sleep\n"; time.Sleep(time.Millisecond) {
		comm, _ := os.ReadFile("/proc/" + strings.TrimSpace(string(b)) + "/comm")
		name = string(comm)
	}
}
