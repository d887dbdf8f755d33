package faulttest_test

import (
	"strings"
	"testing"
)

// Whatever a worker prints is its job's output, whole, and harms no terminal where
// it is shown.
func TestFaults_OutputOfAWorker(t *testing.T) {
	rows(t, false, []row{
		{name: "prints on stdout", prints: "printed by the task\n"},
		{name: "terminal escapes as last words", want: "crashed", because: "exited with code 1 under the job: .*owned"},
		{name: "64 KiB and a byte", prints: strings.Repeat("x", 64<<10+1)},
		{name: "a line of 100 MB", size: 100_000_000, memory: 64 << 20},
		{name: "binary output", size: 100_000},
	})
}

func TestFaults_OutputOfACommand(t *testing.T) {
	rows(t, true, []row{
		{name: "daemon that holds the output", prints: "done\n"},
		{name: "terminal escapes as last words", want: "failed", because: "exit code 1"},
		{name: "64 KiB and a byte", prints: strings.Repeat("x", 64<<10+1)},
		{name: "a line of 100 MB", size: 100_000_000, memory: 64 << 20},
		{name: "binary output", size: 100_000},
	})
}
