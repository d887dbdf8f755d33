package child

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/spawn"
)

func TestPartOf_NamesLimitsAndParts(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string]string{
		"":                                 "",
		"files":                            "files",
		"files 100":                        "files",
		"files: the limit is 3, and that ": "files",
		"memory: no controller":            "memory",
		"seccomp: not in this kernel":      "seccomp",
		"join a group":                     "",
		"limits and isolation need Linux":  "",
		"open /x: denied":                  "",
		"seccomp":                          "",
	} {
		if got := partOf(detail); got != want {
			t.Errorf("%q: %q, want %q", detail, got, want)
		}
	}
}

func TestConfineError_SaysEachThingOnce(t *testing.T) {
	t.Parallel()
	refusal := func(detail string) error {
		return &spawn.StartError{Path: "/x", Op: "confine", Detail: detail, Err: syscall.EPERM}
	}
	for want, e := range map[string]*ConfineError{
		"cannot confine the process /x: seccomp: not in this kernel": {Program: "/x", Part: "seccomp", Err: refusal("seccomp: not in this kernel")},
		"cannot confine the process /x: join a group: denied":        {Program: "/x", Err: refusal("join a group: denied")},
		"cannot confine the process /x: files: no":                   {Program: "/x", Part: "files", Err: errors.New("no")},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAbility_LeavesOutOneByOne(t *testing.T) {
	t.Parallel()
	limits := spawn.Limits{Memory: 1, CPU: time.Second, PIDs: 2, Files: 3, FileSize: 4}
	stop := errors.New("started")
	lacking := map[string]bool{}
	var warned []string
	a := Ability{
		Warn: func(limit string, _ error) { warned = append(warned, limit) },
		Refuse: func(s *spawn.Spec) error {
			for name := range lacking {
				if s.Limits != nil && limitOf(s.Limits, name) {
					return &spawn.StartError{Op: "confine", Detail: name + ": no", Err: syscall.EPERM}
				}
			}
			return stop
		},
	}
	for i, name := range resources {
		lacking[name] = true
		spec := &spawn.Spec{Path: "/x"}
		if _, err := a.Start(nil, spec, &Confinement{Limits: &limits, BestEffort: true}); err != stop {
			t.Fatalf("%s: %v", name, err)
		}
		if len(warned) != i+1 || warned[i] != name {
			t.Errorf("warned of %q", warned)
		}
		if i+1 < len(resources) == (spec.Limits == nil) {
			t.Errorf("limits %+v without %q", spec.Limits, warned)
		}
		var refused *ConfineError
		if _, err := a.Start(nil, spec, &Confinement{Limits: &limits}); !errors.As(err, &refused) || !errors.Is(err, syscall.EPERM) || !limitOf(&limits, refused.Part) {
			t.Errorf("without best effort: %v", err)
		}
	}
	if limits != (spawn.Limits{Memory: 1, CPU: time.Second, PIDs: 2, Files: 3, FileSize: 4}) {
		t.Errorf("the caller's limits are %+v", limits)
	}
}
