package cgroup

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
)

// mount is a mounted hierarchy.
type mount struct {
	dir         string   // where
	root        string   // the group that is seen there
	v2          bool     // version 2, or else 1
	controllers []string // of version 1, with names of hierarchies that have none
}

// parseMounts reads the hierarchies in a mountinfo file: see proc(5). What is
// malformed is left out.
func parseMounts(b []byte) (mounts []mount) {
	for line := range bytes.Lines(b) {
		left, right, ok := strings.Cut(string(line), " - ")
		f, g := strings.Fields(left), strings.Fields(right)
		if !ok || len(f) < 6 || len(g) < 3 {
			continue
		}
		m := mount{dir: unescape(f[4]), root: unescape(f[3]), v2: g[0] == "cgroup2"}
		if !m.v2 {
			if g[0] != "cgroup" {
				continue
			}
			m.controllers = strings.Split(g[2], ",")
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// unescape undoes the octal escapes of blanks and backslashes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1]) && octal(s[i+2]) && octal(s[i+3]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(c byte) bool { return '0' <= c && c <= '7' }

// parsePaths reads a cgroup file of /proc: the group of a process in version 2, ""
// if there is none, and for each controller of version 1.
func parsePaths(b []byte) (v2 string, v1 map[string]string) {
	v1 = make(map[string]string)
	for line := range bytes.Lines(b) {
		f := strings.SplitN(strings.TrimSuffix(string(line), "\n"), ":", 3)
		if len(f) != 3 || !strings.HasPrefix(f[2], "/") {
			continue
		}
		if f[0] == "0" && f[1] == "" {
			v2 = f[2]
			continue
		}
		for name := range strings.SplitSeq(f[1], ",") {
			v1[name] = f[2]
		}
	}
	return v2, v1
}

// place is a hierarchy that is mounted here, and the folder of this process's own
// group in it.
type place struct {
	mount
	own string
}

// places finds the hierarchies that have something to offer: version 2, and those
// of version 1 with one of the controllers. Where one is mounted twice, the mount
// that shows more is taken.
func places(mountinfo, cgroup []byte) (v2 *place, v1 map[string]*place) {
	path, paths := parsePaths(cgroup)
	v1 = make(map[string]*place)
	for _, m := range parseMounts(mountinfo) {
		if m.v2 {
			if path != "" && (v2 == nil || len(m.root) < len(v2.root)) {
				v2 = &place{m, m.folder(path)}
			}
			continue
		}
		for _, c := range []string{memory, pids, cpuacct} {
			p, ok := paths[c]
			if !ok || !slices.Contains(m.controllers, c) {
				continue
			}
			if old := v1[c]; old == nil || len(m.root) < len(old.root) {
				v1[c] = &place{m, m.folder(p)}
			}
		}
	}
	return v2, v1
}

// above lists where the group of a process with this cgroup file is seen, and those
// above it. There are none if it is in no group of the hierarchy.
func (m *mount) above(cgroup []byte) (dirs []string) {
	group, paths := parsePaths(cgroup)
	if !m.v2 {
		group = ""
		for _, c := range m.controllers {
			if group == "" {
				group = paths[c]
			}
		}
	}
	if group == "" {
		return nil
	}
	for dir := m.folder(group); ; dir = filepath.Dir(dir) {
		dirs = append(dirs, dir)
		if dir == m.dir || dir == "/" {
			return dirs
		}
	}
}

// folder is where a group is seen. One that lies outside of what is mounted, as
// happens in containers, is seen as the mount's own root.
func (m *mount) folder(group string) string {
	rel, err := filepath.Rel(m.root, group)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") || strings.HasPrefix(group, "/..") {
		return m.dir
	}
	return filepath.Join(m.dir, rel)
}
