package batch

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
)

// loadAverage gives how many processes were running or waiting for a CPU or a disk
// in the last minute (proc_loadavg(5)).
func loadAverage() (float64, error) {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), " ")
	return strconv.ParseFloat(first, 64)
}

// availableMemory gives how much can be used without swapping (MemAvailable of
// proc_meminfo(5)).
func availableMemory() (int64, error) { return meminfo("MemAvailable") }

func meminfo(name string) (int64, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		key, rest, ok := bytes.Cut(line, []byte(":"))
		if !ok || string(key) != name {
			continue
		}
		kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(rest)), " kB"), 10, 64)
		return kb << 10, err
	}
	return 0, fmt.Errorf("/proc/meminfo has no %s", name)
}

// totalMemory gives the machine's memory, or what the cgroups of this process
// leave of it; 0 = not known.
func totalMemory() int64 {
	total, err := meminfo("MemTotal")
	if err != nil {
		return 0
	}
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return total
	}
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		root, file := "/sys/fs/cgroup", "memory.max"
		switch {
		case parts[1] == "" && parts[0] == "0":
		case parts[1] == "memory":
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for dir := parts[2]; ; dir = path.Dir(dir) {
			if b, err := os.ReadFile(path.Join(root, dir, file)); err == nil {
				if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 && n < total {
					total = n
				}
			}
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	return total
}
