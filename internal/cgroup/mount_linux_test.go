package cgroup

import (
	"reflect"
	"strings"
	"testing"
)

const hybrid = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
39 31 0:36 /docker/x /a\040b rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
42 31 0:38 /user.slice /narrow rw,relatime - cgroup2 cgroup2 rw
`

func TestPlaces_AreFoundInEveryLayout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mounts, groups string
		v2             string
		v1             map[string]string
	}{
		"hybrid": {hybrid, "5:memory:/process_api/7\n4:cpu,cpuacct:/\n3:pids:/docker/x/y\n1:name=systemd:/\n0::/user.slice/s\n",
			"/sys/fs/cgroup/unified/user.slice/s",
			map[string]string{memory: "/sys/fs/cgroup/memory/process_api/7", cpuacct: "/sys/fs/cgroup/cpu,cpuacct", pids: "/a b/y"}},
		"pure version 2":       {"1 2 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n", "0::/user.slice/a:b\n", "/sys/fs/cgroup/user.slice/a:b", map[string]string{}},
		"container":            {"1 2 0:1 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/docker/x\n", "/sys/fs/cgroup", map[string]string{}},
		"outside of the mount": {"1 2 0:1 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/../other\n", "/sys/fs/cgroup", map[string]string{}},
		"group not seen":       {"1 2 0:1 /docker/x /g ro - cgroup2 cgroup rw\n", "0::/docker/y\n", "/g", map[string]string{}},
		"nothing":              {"", "", "", map[string]string{}},
		"malformed":            {"a b - cgroup2\n - cgroup2 x y\n1 2 3 4 5 6 - cgroup x\n", "0\n0:\n1:memory:relative\n", "", map[string]string{}},
	} {
		v2, v1 := places([]byte(c.mounts), []byte(c.groups))
		own := ""
		if v2 != nil {
			own = v2.own
		}
		dirs := map[string]string{}
		for k, p := range v1 {
			dirs[k] = p.own
		}
		if own != c.v2 || !reflect.DeepEqual(dirs, c.v1) {
			t.Errorf("%s: %q, %v; want %q, %v", name, own, dirs, c.v2, c.v1)
		}
	}
}

func FuzzPlaces(f *testing.F) {
	f.Add([]byte(hybrid), []byte("4:memory:/a\n0::/b\n"))
	f.Add([]byte(`1 2 3 /\1 /\0401\ rw - cgroup2 a b`), []byte("0::/../..\n"))
	f.Fuzz(func(t *testing.T, mounts, groups []byte) {
		v2, v1 := places(mounts, groups)
		if v2 != nil {
			v1["2"] = v2
		}
		for c, p := range v1 {
			if p.own != p.dir && !strings.HasPrefix(p.own, strings.TrimSuffix(p.dir, "/")+"/") && strings.HasPrefix(p.dir, "/") && !strings.Contains(p.dir, "/.") && !strings.Contains(p.dir, "//") {
				t.Errorf("%s: %q is not below %q", c, p.own, p.dir)
			}
		}
	})
}

func TestAbove_StaysInTheMount(t *testing.T) {
	t.Parallel()
	found := parseMounts([]byte(`23 1 0:22 / /proc rw - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:1 - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 /docker/abc /sys/fs/cgroup/my\040pids rw - cgroup cgroup rw,pids
34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
garbage
1 2 3 - cgroup
`))
	if len(found) != 3 {
		t.Fatalf("found %+v", found)
	}
	for _, c := range []struct {
		of   int
		memo string
		want string
	}{
		{0, "1:cpu,cpuacct:/a/b\n2:pids:/x\n0::/y", "/sys/fs/cgroup/cpu,cpuacct/a/b /sys/fs/cgroup/cpu,cpuacct/a /sys/fs/cgroup/cpu,cpuacct"},
		{0, "1:cpu:/", "/sys/fs/cgroup/cpu,cpuacct"},
		{0, "1:cpuset:/a", ""},
		{1, "8:pids:/docker/abc/d", "/sys/fs/cgroup/my pids/d /sys/fs/cgroup/my pids"},
		{1, "8:pids:/docker/abc", "/sys/fs/cgroup/my pids"},
		{1, "8:pids:/docker/other", "/sys/fs/cgroup/my pids"},
		{1, "8:pids:/docker/abc/../../etc", "/sys/fs/cgroup/my pids"},
		{2, "0::/user.slice", "/sys/fs/cgroup/unified/user.slice /sys/fs/cgroup/unified"},
		{2, "0::/../..", "/sys/fs/cgroup/unified"},
		{2, "0::relative\n0\n\n::::", ""},
		{2, "1:name=systemd:/s", ""},
		{2, "", ""},
	} {
		if got := strings.Join(found[c.of].above([]byte(c.memo)), " "); got != c.want {
			t.Errorf("%+v, %q: %q, want %q", found[c.of], c.memo, got, c.want)
		}
	}
}
