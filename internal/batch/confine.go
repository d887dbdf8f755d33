package batch

import (
	"fmt"
	"slices"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/pool"
)

// sparse is what instances inherit from namespaces up where the file does not say:
// what programs need to find their way, and nothing that was not meant for them.
var sparse = &config.InheritEnv{Patterns: []string{"PATH", "HOME", "USER", "LANG", "LC_*", "TZ", "TMPDIR"}}

// confine works out within which bounds the instances of a job run.
func (p *plan) confine() error {
	if name := p.job.Isolation; name != "" {
		level, ok := pool.ParseLevel(name)
		if !ok {
			return fmt.Errorf("isolation %q is no level", name)
		}
		p.level = level
	}
	if l := p.job.Limits; l != nil {
		p.limits = &pool.Limits{
			Memory: l.Memory, CPU: l.CPU, PIDs: l.PIDs, Files: l.Files,
			FileSize: l.FileSize, Output: l.Output, BestEffort: l.BestEffort,
		}
	}
	return nil
}

// inherits says what the instances have of the supervisor's environment.
func (p *plan) inherits() *config.InheritEnv {
	if p.job.InheritEnv == nil && p.level > pool.Plain {
		return sparse
	}
	return p.job.InheritEnv
}

// confined tells programs apart by the bounds of their workers.
func confined(p *pool.Program) string {
	l := pool.Limits{}
	if p.Limits != nil {
		l = *p.Limits
	}
	return fmt.Sprint(p.Isolation, p.Lenient, l)
}

// alike reports whether p is what proto makes but for its environment and folder.
func alike(p, proto *pool.Program) bool {
	switch {
	case !slices.Equal(p.Command, proto.Command) || p.Isolation != proto.Isolation || p.Lenient != proto.Lenient:
		return false
	case p.Limits == proto.Limits:
		return true
	}
	return p.Limits != nil && proto.Limits != nil && *p.Limits == *proto.Limits
}
