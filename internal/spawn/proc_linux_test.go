package spawn

import (
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

func TestParseStat_SurvivesHostileNames(t *testing.T) {
	t.Parallel()
	const rest = " S 10 11 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1000 2 18446744073709551615\n"
	for _, name := range []string{"cat", "a b", ")", "((", ") R 1 1 1", "\n", ""} {
		st, ok := parseStat([]byte("99 (" + name + ")" + rest))
		if want := (procStat{99, 'S', 10, 11, 12, 123456, false, 1}); !ok || st != want {
			t.Errorf("name %q: %+v, %v", name, st, ok)
		}
	}
	if st, ok := parseStat([]byte("99 (a)" + strings.Replace(rest, "4194560", "4194564", 1))); !ok || !st.exiting {
		t.Errorf("one that exits: %+v, %v", st, ok)
	}
	for _, bad := range []string{"", "1", "1 (a", "1 a) S 1 1 1", "(a)" + rest, "1 (a) S 1", "1 (a)" + strings.Replace(rest, "10", "x", 1)} {
		if st, ok := parseStat([]byte(bad)); ok {
			t.Errorf("%q: %+v", bad, st)
		}
	}
}

func TestReadStat_KnowsThisProcess(t *testing.T) {
	t.Parallel()
	st, ok := readStat(os.Getpid())
	if !ok || st.pid != os.Getpid() || st.ppid != os.Getppid() || st.group != syscall.Getpgrp() || st.dead() || st.start == 0 {
		t.Errorf("readStat = %+v, %v", st, ok)
	}
	if st, ok := readStat(1 << 30); ok {
		t.Errorf("readStat of no process = %+v", st)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 3 1000 2"))
	f.Add([]byte("1 (a) b) Z 0 1 1"))
	f.Add([]byte("0()\x00 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if st, ok := parseStat(b); ok && !isLetter(st.state) {
			t.Errorf("%q: %+v", b, st)
		}
	})
}

func TestMarker_IsFoundOnEveryLevel(t *testing.T) {
	t.Parallel()
	value, ok := findMarker([]byte("A=1\x00" + TreeMarker + "X=no\x00" + TreeMarker + "=aa.1/bb.22/cc.3\x00B=2\x00"))
	if !ok || value != "aa.1/bb.22/cc.3" {
		t.Fatalf("findMarker = %q, %v", value, ok)
	}
	for tree, want := range map[string]bool{"aa.1": true, "bb.22": true, "cc.3": true, "bb.2": false, "aa": false, "": false} {
		if inTree(value, tree) != want {
			t.Errorf("inTree(%q) = %v", tree, !want)
		}
	}
	for nonce, want := range map[string]bool{"aa": true, "bb": true, "cc": true, "a": false, "dd": false} {
		if ofGuardian(value, nonce) != want {
			t.Errorf("ofGuardian(%q) = %v", nonce, !want)
		}
	}
	for _, b := range []string{"", "\x00", TreeMarker, "X" + TreeMarker + "=1"} {
		if v, ok := findMarker([]byte(b)); ok {
			t.Errorf("findMarker(%q) = %q", b, v)
		}
	}
}

func TestWire_RoundTrips(t *testing.T) {
	t.Parallel()
	spec := &Spec{Path: "/p", Dir: "/d", Argv: []string{"a", "", "c"}, Env: []string{"K=V", TreeMarker + "=old", "E="}}
	b := appendStrings(appendStart(nil, msgStart, 77, []byte(`{"Limits":{"PIDs":9},"Level":1}`), []byte{1, 0}), spec, TreeMarker+"=new.1")
	r, rest, err := decodeHead(b)
	if err == nil {
		err = r.decodeStrings(rest)
	}
	want := request{number: 77, slots: []byte{1, 0}, path: "/p", dir: "/d", argv: spec.Argv, envv: []string{"K=V", "E=", TreeMarker + "=new.1"},
		confine: &confine{Limits: Limits{PIDs: 9}, Level: Namespaces}}
	if err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("request is %+v, %v; want %+v", r, err, want)
	}
	s := started{5, 1234, syscall.ENOENT, opConfine, "no cgroup"}
	if got, _, err := decodeStarted(s.append(nil)); err != nil || got != s {
		t.Errorf("started is %+v, %v", got, err)
	}
	e := report{wait: 9, user: 1, sys: 2, maxRSS: 3, at: 4, empty: true, leaked: []int{7, 8},
		ending: ending{Breach: &Breach{Resource: CPU, Limit: 5, Observed: 6, EnforcedBy: "watchdog", Evidence: "x"}, Parts: []string{"process"}}}
	if n, got, err := decodeReport(e.append(nil, 6)); err != nil || n != 6 || !reflect.DeepEqual(got, e) {
		t.Errorf("report is %d, %+v, %v", n, got, err)
	}
	if n, sig, to, err := decodeSignal(appendSignal(nil, 3, syscall.SIGUSR1, wholeTree)); n != 3 || sig != syscall.SIGUSR1 || to != wholeTree || err != nil {
		t.Errorf("signal is %d, %v, %v, %v", n, sig, to, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(appendStrings(appendStart(nil, msgStart, 1, []byte(`{"Level":1}`), []byte{1}), &Spec{Path: "/p"}, TreeMarker+"=a.1"))
	f.Add(started{}.append(nil))
	f.Add((&report{leaked: []int{1}}).append(nil, 2))
	f.Add(appendSignal(nil, 1, 9, wholeTree))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, rest, err := decodeHead(b); err == nil {
			if err := r.decodeStrings(rest); err == nil && len(r.argv) == 0 {
				t.Error("request without arguments")
			}
		}
		if s, rest, err := decodeStarted(b); err == nil && string(s.append(nil))+string(rest) != string(b) {
			t.Errorf("started %+v is not %x", s, b)
		}
		decodeReport(b)
		decodeSignal(b)
	})
}
