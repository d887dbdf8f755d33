package batch

import (
	"strconv"
	"strings"

	"github.com/feac4032/multiproc/config"
)

// inherited gives the variables of the supervisor's own environment that the
// instances of a job get. Those that a supervisor sets for its instances are
// left out: they tell about the instance in which this supervisor runs, if any.
func inherited(environ []string, which *config.InheritEnv) []string {
	out := make([]string, 0, len(environ)+16)
	for _, kv := range environ {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || name == "" || config.ReservedEnv(name) {
			continue
		}
		if which == nil || which.Match(name) {
			out = append(out, kv)
		}
	}
	return out
}

// varsEnv gives VAR_<NAME> for the variables of the file.
func varsEnv(vars []config.Field) []string {
	out := make([]string, len(vars))
	for i, v := range vars {
		out[i] = config.EnvName("VAR", v.Name) + "=" + v.Value.Text()
	}
	return out
}

// appendInstanceEnv appends what tells a command which instance it is.
func (p *plan) appendInstanceEnv(env []string, in *Instance, attempt, slot int) []string {
	if p.job.Foreach != nil && in.Items == nil {
		env = append(env, "ITEM="+in.Item.Text())
		for _, f := range in.Item.Fields() {
			env = append(env, config.EnvName("ITEM", f.Name)+"="+f.Value.Text())
		}
	}
	for i, f := range in.Matrix {
		env = append(env, p.axisEnv[i]+f.Value.Text())
	}
	env = appendHolds(env, in.holds)
	return append(env,
		"JOB_ID="+in.Job.ID,
		"INDEX="+strconv.FormatInt(in.Index, 10),
		"JOB_KEY="+p.keyOf(in),
		"ATTEMPT="+strconv.Itoa(attempt),
		"SLOT="+strconv.Itoa(slot),
	)
}

// appendHolds appends which units of which resources an attempt has.
func appendHolds(env []string, holds []hold) []string {
	for _, h := range holds {
		var b strings.Builder
		for i, n := range h.units {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(h.of.of.ID(n))
		}
		env = append(env, h.of.env+"="+b.String())
	}
	return env
}
