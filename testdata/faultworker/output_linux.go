package main

import (
	"bytes"
	"os"
	"os/exec"

	"github.com/feac4032/multiproc/internal/faulttest"
)

func init() {
	for name, f := range map[string]fault{
		"prints on stdout": once(func(w *faulttest.Worker) {
			m := w.Begin()
			os.Stdout.WriteString("printed by the task\n")
			w.Answer(m)
			w.Serve()
		}),
		"terminal escapes as last words": once(func(w *faulttest.Worker) {
			w.Begin()
			os.Stderr.WriteString(escapes)
			os.Exit(1)
		}),
		"64 KiB and a byte": once(func(w *faulttest.Worker) {
			m := w.Begin()
			os.Stdout.Write(bytes.Repeat([]byte{'x'}, 64<<10+1))
			w.Answer(m)
			w.Serve()
		}),
		"a line of 100 MB": once(func(w *faulttest.Worker) { m := w.Begin(); longLine(); w.Answer(m); w.Serve() }),
		"binary output": once(func(w *faulttest.Worker) {
			m := w.Begin()
			os.Stdout.Write(faulttest.Noise(100_000))
			os.Stderr.Write(faulttest.Noise(100_000))
			w.Answer(m)
			w.Serve()
		}),
	} {
		faults[name] = f
	}
	for name, command := range map[string]func(){
		"terminal escapes as last words": func() { os.Stderr.WriteString(escapes); os.Exit(1) },
		"64 KiB and a byte":              func() { os.Stdout.Write(bytes.Repeat([]byte{'x'}, 64<<10+1)) },
		"a line of 100 MB":               longLine,
		"binary output":                  func() { os.Stdout.Write(faulttest.Noise(100_000)); os.Stderr.Write(faulttest.Noise(100_000)) },
		"daemon that holds the output":   daemon,
	} {
		commands[name] = command
	}
}

const escapes = "\x1b]0;owned\x07\x1b[31mred\xff\xfe\u009b\n"

// longLine writes 100 MB and no newline.
func longLine() {
	part := bytes.Repeat([]byte{'x'}, 1_000_000)
	for range 100 {
		os.Stdout.Write(part)
	}
}

// daemon leaves a process behind that holds stdout and stderr.
func daemon() {
	cmd := exec.Command("/bin/sh", "-c", `(setsid sh -c 'echo $$ >daemon; exec sleep 60' &) ; until [ -s daemon ]; do sleep 0.01; done`)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	faulttest.Must(cmd.Run())
	os.Stdout.WriteString("done\n")
}
