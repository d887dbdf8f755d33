package child

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/feac4032/multiproc/internal/spawn"
)

// ErrConfine is what a ConfineError is.
var ErrConfine = errors.New("cannot confine the process")

// ConfineError says that this machine cannot enforce a limit, or has not got a part
// of a level of isolation. Nothing was started.
type ConfineError struct {
	Program string
	// Part is the limit, as a job file names it, or the part of the level, such as
	// "seccomp"; "" where it is not known.
	Part string
	Err  error // the system's, or the guardian's
}

func (e *ConfineError) Error() string {
	why := fmt.Sprint(e.Err)
	var refused *spawn.StartError
	if errors.As(e.Err, &refused) && refused.Detail != "" {
		why = refused.Detail // which has the error number in words, where there is one
	}
	if e.Part != "" && partOf(why) != e.Part {
		why = e.Part + ": " + why
	}
	return fmt.Sprintf("%v %s: %s", ErrConfine, e.Program, why)
}

// Is reports that a ConfineError is an ErrConfine.
func (e *ConfineError) Is(target error) bool { return target == ErrConfine }

// Unwrap returns what the part failed with.
func (e *ConfineError) Unwrap() error { return e.Err }

// Confinement is what keeps a process within bounds. The zero value is nothing.
type Confinement struct {
	Limits  *spawn.Limits
	Level   spawn.Level
	Lenient bool // see spawn.Spec
	// BestEffort starts the process without the limits that this machine cannot
	// enforce.
	BestEffort bool
}

// Ability remembers which limits the machine cannot enforce. The zero value is
// that all can be.
type Ability struct {
	// Warn is told once of each limit that is left out. Nil = nobody is.
	Warn func(limit string, err error)
	// Refuse is asked before a start, and stands in for a machine that cannot do it all,
	// in tests. Nil = the guardian alone decides.
	Refuse func(*spawn.Spec) error

	mu      sync.Mutex
	lacking map[string]bool
}

// resources are the limits that can be left out.
var resources = []string{spawn.Memory, spawn.CPU, spawn.PIDs, spawn.Files, spawn.FileSize}

// Start is g.Start with the confinement. A refusal is a *ConfineError.
func (a *Ability) Start(g *spawn.Guardian, s *spawn.Spec, c *Confinement) (*spawn.Process, error) {
	s.Level, s.Lenient, s.Limits = c.Level, c.Lenient, c.Limits
	if c.Limits != nil && c.BestEffort {
		l := *c.Limits
		s.Limits = a.within(&l)
	}
	for {
		proc, err := a.start(g, s)
		var refused *spawn.StartError
		if err == nil || !errors.As(err, &refused) || refused.Op != "confine" {
			return proc, err
		}
		part := partOf(refused.Detail)
		if !c.BestEffort || s.Limits == nil || !a.leaveOut(part, refused, s) {
			return nil, &ConfineError{Program: s.Path, Part: part, Err: refused}
		}
	}
}

func (a *Ability) start(g *spawn.Guardian, s *spawn.Spec) (*spawn.Process, error) {
	if a.Refuse != nil {
		if err := a.Refuse(s); err != nil {
			return nil, err
		}
	}
	return g.Start(s)
}

// leaveOut takes the refused limit from s, or, where the refusal names none and no
// level was asked for, all of them. It reports false if that is no way out.
func (a *Ability) leaveOut(part string, why error, s *spawn.Spec) bool {
	names := []string{part}
	if !limitOf(s.Limits, part) {
		if s.Level != spawn.Plain {
			return false // it may well be the level
		}
		names = resources
	}
	for _, name := range names {
		if limitOf(s.Limits, name) {
			a.lack(name, why)
		}
	}
	s.Limits = a.within(s.Limits)
	return true
}

// lack notes a limit that cannot be enforced.
func (a *Ability) lack(name string, why error) {
	a.mu.Lock()
	first := !a.lacking[name]
	if a.lacking == nil {
		a.lacking = make(map[string]bool)
	}
	a.lacking[name] = true
	a.mu.Unlock()
	if first && a.Warn != nil {
		a.Warn(name, why)
	}
}

// within takes from l what cannot be enforced; nil is nothing left.
func (a *Ability) within(l *spawn.Limits) *spawn.Limits {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name := range a.lacking {
		switch name {
		case spawn.Memory:
			l.Memory = 0
		case spawn.CPU:
			l.CPU = 0
		case spawn.PIDs:
			l.PIDs = 0
		case spawn.Files:
			l.Files = 0
		case spawn.FileSize:
			l.FileSize = 0
		}
	}
	if *l == (spawn.Limits{}) {
		return nil
	}
	return l
}

// limitOf reports whether l has a limit of this name.
func limitOf(l *spawn.Limits, name string) bool {
	switch name {
	case spawn.Memory:
		return l.Memory > 0
	case spawn.CPU:
		return l.CPU > 0
	case spawn.PIDs:
		return l.PIDs > 0
	case spawn.Files:
		return l.Files > 0
	case spawn.FileSize:
		return l.FileSize > 0
	}
	return false
}

// partOf gives what a refusal is about: its first word, if that is a limit, or what
// stands before a colon.
func partOf(detail string) string {
	part, _, colon := strings.Cut(detail, ":")
	word, _, more := strings.Cut(part, " ")
	if slices.Contains(resources, word) || colon && !more {
		return word
	}
	return ""
}
