package faulttest_test

import (
	"fmt"
	"testing"
)

// exhausting are the faults that take too much, with the limit that they meet.
func exhausting() []row {
	return []row{
		{name: "memory hog", job: "limits: {memory: 128MiB}", which: "memory", because: "memory"},
		{name: "fork bomb", job: "limits: {pids: 64}", which: "pids", because: "pids|fork"},
		{name: "descriptor leak", job: "limits: {files: 64}", which: "files", because: "too many open files"},
		{name: "CPU spin", job: "limits: {cpu: 300ms}", which: "cpu", because: "cpu"},
		{name: "10 GB file", job: "limits: {file_size: 64MiB}", which: "file_size", because: "file too large|SIGXFSZ"},
		{name: "output flood", job: "limits: {output: 1MiB}", which: "output", because: "wrote more than 1048576 bytes"},
	}
}

// Who takes more than its limit is stopped with all that it has started, at each
// level of isolation, and its neighbours never notice.
func TestFaults_Resources(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"process", "namespaces", "sandbox"} {
		kept := map[string][]string{"namespaces": {"pid", "net", "mount"}, "sandbox": {"pid", "net", "mount", "seccomp", "landlock"}}[level]
		for _, command := range []bool{false, true} {
			t.Run(fmt.Sprint(level, map[bool]string{false: " of a worker", true: " of a command"}[command]), func(t *testing.T) {
				var all []row
				for _, w := range exhausting() {
					w.want, w.limit, w.mute = "limit", true, true
					all = append(all, w)
				}
				all = append(all, row{name: "grandchild"})
				for i := range all {
					all[i].job += "\nisolation: " + level
					all[i].kept = kept
				}
				rows(t, command, all)
			})
		}
	}
}
