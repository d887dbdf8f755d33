package spawn

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"

	"github.com/feac4032/multiproc/internal/jail"
)

// surveyed is what a guardian has found out about parts of isolation.
type surveyed struct {
	parts    []Part
	possible jail.Part
}

// surveyor finds it out once.
type surveyor struct {
	once  sync.Once
	found surveyed
}

// surveyParts tries every part, by stubs without a program. The first call takes some
// milliseconds.
func (g *guard) surveyParts(l *lane) *surveyed {
	g.survey.once.Do(func() { g.survey.found = l.trySandbox() })
	return &g.survey.found
}

func (l *lane) trySandbox() (s surveyed) {
	all := levelParts(Sandbox)
	lost := make(map[jail.Part]string)
	note := func(losses []jail.Loss) {
		for _, loss := range losses {
			lost[loss.Part] = loss.Why
		}
	}
	losses, err := l.tryParts(all)
	if err != nil {
		// Some namespace is not to be had, and clone does not say which.
		base := jail.Part(0)
		if _, err := l.tryParts(jail.User); err == nil {
			base = jail.User
		} else {
			lost[jail.User] = err.Error()
			lost[jail.UID] = "there is no user namespace"
		}
		(jail.Namespaces &^ jail.User).Each(func(p jail.Part, _ string) {
			more, err := l.tryParts(base | p)
			if err != nil {
				lost[p] = err.Error()
			}
			note(more)
		})
		for p := range lost {
			all &^= p
		}
		if losses, err = l.tryParts(all); err != nil {
			all.Each(func(p jail.Part, _ string) { lost[p] = err.Error() })
		}
	}
	note(losses)
	levelParts(Sandbox).Each(func(p jail.Part, name string) {
		part := Part{Level: Sandbox, Name: name, OK: true}
		if p&jail.Namespaces != 0 {
			part.Level = Namespaces
		}
		if why, is := lost[p]; is {
			part.OK, part.Why, part.Fix = false, why, fixOf(name, "")
		} else {
			s.possible |= p
		}
		s.parts = append(s.parts, part)
	})
	return s
}

// tryParts starts a stub with these parts, leniently, in the directory of this
// process, and returns which of them failed.
func (l *lane) tryParts(p jail.Part) ([]jail.Loss, error) {
	null := uintptr(l.g.null)
	st, err := l.startStub(&stubSpec{parts: p, lenient: true}, &request{argv: []string{"trial"}}, &syscall.ProcAttr{Files: []uintptr{null, null, null}})
	if err != nil {
		return nil, err
	}
	st.reap(l)
	return st.lost, nil
}

// fixes tell an administrator how a part could be had.
var fixes = map[string]string{
	"user": "user namespaces need sysctl user.max_user_namespaces above 0 and, by distribution, " +
		"kernel.unprivileged_userns_clone=1 or kernel.apparmor_restrict_unprivileged_userns=0; in a container, a seccomp profile that allows clone with CLONE_NEWUSER",
	"pid":      "needs sysctl user.max_pid_namespaces above 0, and user namespaces or root",
	"net":      "needs sysctl user.max_net_namespaces above 0, and user namespaces or root",
	"ipc":      "needs sysctl user.max_ipc_namespaces above 0, and user namespaces or root",
	"uts":      "needs sysctl user.max_uts_namespaces above 0, and user namespaces or root",
	"mount":    "needs Linux 5.12, sysctl user.max_mnt_namespaces above 0, and user namespaces or root; in a container, a /proc that is not masked",
	"landlock": "needs Linux 5.13 with landlock among the security modules (boot parameter lsm=)",
	"seccomp":  "needs a kernel with CONFIG_SECCOMP_FILTER on amd64, arm64, riscv64 or loong64",
	"uid":      "needs Linux 5.12, and a working directory on a file system with idmapped mounts, such as ext4, xfs or btrfs",
}

func fixOf(part, before string) string {
	if fix := fixes[part]; fix != "" {
		return before + fix
	}
	return ""
}

// sendSurvey answers msgSurvey.
func (l *lane) sendSurvey() {
	l.g.gate.RLock()
	defer l.g.gate.RUnlock()
	if l.g.closing {
		return
	}
	b, err := json.Marshal(l.g.surveyParts(l).parts)
	if err == nil {
		l.send(append([]byte{msgSurvey}, b...))
	}
}

// Survey finds out what can be had here. It makes control groups, and removes them
// again, and starts stubs, which takes some milliseconds; of the levels later calls
// return what was found by the first. Errors: ErrClosed, ErrLost, or the system's, as
// when a group could not be removed.
func (g *Guardian) Survey() (*Survey, error) {
	parts, err := g.surveyParts()
	if err != nil {
		return nil, fmt.Errorf("survey of isolation: %w", err)
	}
	limits, err := surveyLimits(g.opts.only)
	return &Survey{Limits: limits, Parts: parts}, err
}

// surveyParts asks the guardian.
func (g *Guardian) surveyParts() (parts []Part, err error) {
	in, err := g.instance()
	if err != nil {
		return nil, err
	}
	l, err := in.takeLink()
	if err != nil {
		return nil, err
	}
	if err := sendPacket(l.raw, []byte{msgSurvey}, nil); err != nil {
		l.close()
		return nil, err
	}
	b, err := l.receive()
	if err != nil || len(b) == 0 {
		l.close()
		return nil, errors.Join(ErrLost, err)
	}
	if b[0] != msgSurvey || json.Unmarshal(b[1:], &parts) != nil {
		l.close()
		return nil, errWire
	}
	in.giveLink(l)
	return parts, nil
}

// String is a line for people.
func (p Part) String() string {
	if p.OK {
		return p.Name
	}
	return strings.TrimSuffix("no "+p.Name+": "+p.Why+"; "+p.Fix, "; ")
}
