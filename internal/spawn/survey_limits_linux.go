package spawn

import (
	"fmt"
	"time"

	"github.com/feac4032/multiproc/internal/cgroup"
)

// surveyLimits tries each version of control groups alone, so that it is seen what is
// left without the other.
func surveyLimits(only string) (list []LimitSurvey, err error) {
	memory := LimitSurvey{Resource: Memory, EnforcedBy: byWatchdog}
	pids := LimitSurvey{Resource: PIDs, EnforcedBy: byWatchdog}
	both := []*LimitSurvey{&memory, &pids}
	for _, version := range []string{byV2, byV1} {
		if only != "" && only != version {
			for _, l := range both {
				l.explain(version, "not asked for")
			}
			continue
		}
		nonce := newNonce()
		// Head is this process, not the parent of a guardian: it is both at once here.
		tree, failed := cgroup.Open(nonce, cgroup.Config{Only: version})
		if failed != nil {
			for _, l := range both {
				l.explain(version, failed.Error())
			}
			continue
		}
		group, failed := tree.New("survey", cgroup.Limits{Memory: 64 << 20, PIDs: 64})
		for _, l := range both {
			switch by := tree.By(l.Resource); {
			case failed != nil:
				l.explain(version, failed.Error())
			case by == "":
				l.explain(version, tree.Why(l.Resource))
			case l.EnforcedBy == byWatchdog:
				l.EnforcedBy, l.Others = by, append(l.Others, byWatchdog)
			default:
				l.Others = append([]string{by}, l.Others...)
			}
		}
		if failed == nil {
			err = group.Remove(time.Second)
		}
		if left := tree.Remove(time.Second); err == nil {
			err = left
		}
	}
	for _, l := range both {
		if l.EnforcedBy != byWatchdog {
			l.Why = "" // the other version is not needed then
			continue
		}
		l.Fix = "run as root, or in a control group of one's own: systemd-run --user --scope -p Delegate=yes supervisor …"
	}
	return []LimitSurvey{
		memory,
		{Resource: CPU, EnforcedBy: byWatchdog, Others: []string{byRlimit}},
		pids,
		{Resource: Files, EnforcedBy: byRlimit},
		{Resource: FileSize, EnforcedBy: byRlimit},
	}, err
}

func (l *LimitSurvey) explain(version, why string) {
	if l.Why != "" {
		l.Why += "; "
	}
	l.Why += fmt.Sprintf("%s: %s", version, why)
}
