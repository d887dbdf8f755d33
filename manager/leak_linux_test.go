package manager_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/feac4032/multiproc/process"
)

func init() { gates = append(gates, watchSystem) }

// watchSystem notes the children and descriptors of this process, and returns what
// finds those that are new. The guardian of package process is there all the time.
func watchSystem() (leaked func() []string) {
	first := process.Command([]string{"true"}) // it brings the guardian with it
	if err := first.Start(context.Background()); err != nil {
		return func() []string { return []string{err.Error()} }
	}
	err := first.Join(context.Background())
	children, files := childrenOf("self"), openFiles()
	return func() (all []string) {
		if err != nil {
			all = append(all, err.Error())
		}
		for pid, line := range childrenOf("self") {
			if children[pid] == "" {
				all = append(all, "child "+pid+" "+line)
			}
		}
		for guardian := range children {
			for pid, line := range childrenOf(guardian) {
				all = append(all, "child of the guardian "+pid+" "+line)
			}
		}
		if now := openFiles(); !maps.Equal(now, files) {
			all = append(all, fmt.Sprintf("descriptors %v, before %v", now, files))
		}
		return all
	}
}

// childrenOf returns the children of all threads of a process, and how they were
// called.
func childrenOf(pid string) map[string]string {
	all := map[string]string{}
	lists, _ := filepath.Glob("/proc/" + pid + "/task/*/children")
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		for child := range strings.FieldsSeq(string(b)) {
			line, _ := os.ReadFile("/proc/" + child + "/cmdline")
			all[child] = fmt.Sprintf("%q", line)
		}
	}
	return all
}

// openFiles counts the descriptors of this process by what they are, without those
// that the runtime opens when it first needs them, and without sockets, of which
// the guardian keeps one for each process that it ever had at a time.
func openFiles() map[string]int {
	all := map[string]int{}
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		name, err := os.Readlink("/proc/self/fd/" + fd.Name())
		kind, _, _ := strings.Cut(name, ":[")
		switch {
		case err != nil, kind == "socket", strings.HasPrefix(name, "anon_inode:[event"),
			strings.HasPrefix(name, "/proc/"), strings.HasPrefix(name, "/sys/fs/cgroup/"):
		default:
			all[kind]++
		}
	}
	return all
}
