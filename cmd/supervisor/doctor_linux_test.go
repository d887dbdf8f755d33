package main

import (
	"encoding/json"
	"os"
	"testing"
)

// TestDoctor_AnswersWhoeverAsks asks as this user and, if that is root, as nobody, who
// has no control groups but namespaces, where the machine lets him.
func TestDoctor_AnswersWhoeverAsks(t *testing.T) {
	t.Parallel()
	users := []uint32{uint32(os.Getuid())}
	if os.Getuid() == 0 {
		users = append(users, 65534)
	}
	for _, uid := range users {
		e := newEscape(t, uid)
		out, err := e.command("doctor", "-json").Output()
		if err != nil {
			t.Fatalf("as %d: %v", uid, err)
		}
		var d diagnosis
		if err := json.Unmarshal(out, &d); err != nil {
			t.Fatalf("as %d: %v in %s", uid, err, out)
		}
		if d.System.UID != int(uid) || len(d.Limits) != 6 || len(d.Isolation) != 3 || !d.Isolation[0].Available {
			t.Errorf("as %d: %s", uid, out)
		}
		for _, l := range d.Limits {
			if l.EnforcedBy == "" || l.Resource == "memory" && l.EnforcedBy == "watchdog" && (l.Why == "" || l.Fix == "") {
				t.Errorf("as %d: %+v", uid, l)
			}
			if uid == 65534 && l.Resource == "memory" && l.EnforcedBy != "watchdog" {
				t.Errorf("as nobody: %+v", l)
			}
		}
		for _, level := range d.Isolation {
			for _, p := range level.Parts {
				if p.Available == (p.Why != "") {
					t.Errorf("as %d: %s: %+v", uid, level.Level, p)
				}
			}
		}
	}
}
