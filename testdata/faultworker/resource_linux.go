package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/feac4032/multiproc/internal/faulttest"
)

// What takes too much is bounded all the same: where nobody stops it, it comes to
// its end and says so.
func init() {
	for name, take := range map[string]func(){
		"memory hog":      memoryHog,
		"fork bomb":       forkBomb,
		"descriptor leak": descriptorLeak,
		"CPU spin":        spin,
		"10 GB file":      bigFile,
		"output flood":    outputFlood,
		"grandchild":      grandchild,
	} {
		commands[name] = take
		faults[name] = once(func(w *faulttest.Worker) {
			m := w.Begin()
			take()
			w.Answer(m)
			w.Serve()
		})
	}
}

// memoryHog takes half a gigabyte, page by page.
func memoryHog() {
	var all [][]byte
	for range 64 {
		b := make([]byte, 8<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
		time.Sleep(2 * time.Millisecond)
	}
	fmt.Println("took", len(all)*8, "MiB")
	runtime.KeepAlive(all)
}

// forkBomb starts 500 processes.
func forkBomb() {
	n := 0
	for ; n < 500; n++ {
		if exec.Command("sleep", "60").Start() != nil {
			faulttest.Hang()
		}
	}
	fmt.Println("started", n)
}

// descriptorLeak opens 5,000 files, and fails when it may open no more.
func descriptorLeak() {
	var all []*os.File
	for range 5000 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			last(err.Error())
			os.Exit(1)
		}
		all = append(all, f)
	}
	fmt.Println("opened", len(all))
	runtime.KeepAlive(all)
}

// spin keeps a processor busy for 20 s.
func spin() {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
	}
	fmt.Println("has spun")
}

// bigFile writes at the end of a file of 10 GB, which has holes.
func bigFile() {
	f, err := os.CreateTemp(".", "big")
	faulttest.Must(err)
	os.Remove(f.Name())
	if _, err := f.WriteAt([]byte("x"), 10_000_000_000); err != nil {
		last(err.Error())
		os.Exit(1)
	}
	fmt.Println("wrote 10 GB")
}

// outputFlood writes 64 MiB without a newline, in a second or more.
func outputFlood() {
	part := make([]byte, 1<<16)
	for range 1024 {
		if _, err := os.Stderr.Write(part); err != nil {
			os.Exit(96)
		}
		time.Sleep(time.Millisecond) // all at once it may be over before anybody has looked
	}
	fmt.Println("wrote it all")
}

// grandchild leaves a process behind that has left its session, by a fork from a
// process that ends, and has no environment.
func grandchild() {
	cmd := exec.Command("/bin/sh", "-c", `(setsid env -i /bin/sh -c '(exec sleep 60 &)' &)`)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	faulttest.Must(cmd.Run())
}
