package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/feac4032/multiproc/config"
)

// ErrUnknown comes from Choose for a name that no experiment has.
var ErrUnknown = errors.New("no such experiment")

// Experiment is a claim with what shows whether it holds.
type Experiment struct {
	Name  string `json:"name"`
	Claim string `json:"claim"` // one sentence

	// run does the work of both sides and notes what was seen. It returns whether
	// that bears the claim out; an error means that it could not be tried.
	run func(ctx context.Context, t *trial) (holds bool, err error)
}

// experiments in the order in which they are shown: what a process keeps apart,
// what parties share on purpose, and what it costs.
var experiments = []*Experiment{
	&memory, &crash,
	&lostUpdate, &lockDeath, &deadlock, &condition, &semaphore, &throughQueue,
	&speedup, &startCost, &latency,
}

// All returns all experiments.
func All() []*Experiment { return experiments }

// Choose finds experiments by their names, all of them for none. An error is an
// ErrUnknown that says which name was probably meant.
func Choose(names []string) ([]*Experiment, error) {
	if len(names) == 0 {
		return experiments, nil
	}
	known := make([]string, len(experiments))
	byName := make(map[string]*Experiment, len(experiments))
	for i, e := range experiments {
		known[i], byName[e.Name] = e.Name, e
	}
	chosen := make([]*Experiment, 0, len(names))
	for _, name := range names {
		e := byName[name]
		if e == nil {
			hint := "there are " + strings.Join(known, ", ")
			if near := config.Nearest(name, known); near != "" {
				hint = "did you mean " + near + "?"
			}
			return nil, fmt.Errorf("%w: %q (%s)", ErrUnknown, name, hint)
		}
		chosen = append(chosen, e)
	}
	return chosen, nil
}
