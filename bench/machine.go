package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/feac4032/multiproc/bench/figure"
)

// Machine is what the figures depend on.
type Machine struct {
	CPU      string `json:"cpu"`
	CPUs     int    `json:"cpus"` // that this process may use
	Memory   string `json:"memory"`
	Kernel   string `json:"kernel"`
	Load     string `json:"load"` // average of the minute before
	Go       string `json:"go"`
	Compiler string `json:"compiler"` // of the floors
	Python   string `json:"python,omitempty"`
	Joblib   string `json:"joblib,omitempty"`
	GoPlugin string `json:"go_plugin"`
	Parallel string `json:"parallel,omitempty"`
	Xargs    string `json:"xargs,omitempty"`
}

// machine looks at it. What cannot be found out is empty.
func (s *Stand) machine(ctx context.Context) Machine {
	load, _, _ := strings.Cut(fileText("/proc/loadavg"), " ")
	return Machine{
		CPU:      fieldOf("/proc/cpuinfo", "model name"),
		CPUs:     runtime.NumCPU(),
		Memory:   memory(fieldOf("/proc/meminfo", "MemTotal")),
		Kernel:   firstLine(ctx, "uname", "-srm"),
		Load:     load,
		Go:       strings.TrimPrefix(firstLine(ctx, "go", "version"), "go version "),
		Compiler: s.compiler,
		Python:   s.tools["python"],
		Joblib:   s.tools["joblib"],
		GoPlugin: versionOf("github.com/hashicorp/go-plugin"),
		Parallel: s.tools["parallel"],
		Xargs:    s.tools["xargs"],
	}
}

// memory writes what /proc/meminfo says, in the units of the page.
func memory(field string) string {
	kib, err := strconv.ParseFloat(strings.TrimSuffix(field, " kB"), 64)
	if err != nil {
		return field
	}
	return quantity(figure.RSS, kib*1024)
}

func (m Machine) table() Table {
	rows := [][]string{
		{"CPU", fmt.Sprintf("%s, %d of them", m.CPU, m.CPUs)},
		{"memory", m.Memory},
		{"kernel", m.Kernel},
		{"load average before", m.Load},
		{"Go", m.Go},
		{"compiler of the floors", m.Compiler},
		{"Python", m.Python},
		{"joblib", m.Joblib},
		{"go-plugin", m.GoPlugin},
		{"parallel", m.Parallel},
		{"xargs", m.Xargs},
	}
	for _, row := range rows {
		if row[1] == "" {
			row[1] = "not there"
		}
	}
	return Table{Head: []string{"what", "which"}, Rows: rows}
}

func fileText(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

// fieldOf is the first field of a name in a file of lines NAME: VALUE.
func fieldOf(path, name string) string {
	for lines := bufio.NewScanner(strings.NewReader(fileText(path))); lines.Scan(); {
		if key, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// versionOf is that of a module that this program is built of.
func versionOf(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	return ""
}
