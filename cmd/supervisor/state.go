package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/internal/journal"
)

// defaultState is the folder in which runs keep their journals, and what does not
// fit in memory.
const defaultState = ".supervisor"

// errNoRuns is the error of looking for the state folder where there is none.
var errNoRuns = errors.New("no runs are recorded here: there is no " + defaultState +
	"; change to where they were started, or name the folder by -state DIR")

// look opens the state folder that a command about recorded runs is to read, and
// makes nothing.
func look(c *cli.Context) (*journal.Store, error) {
	name := c.String("state")
	if name == "" {
		name = defaultState
	}
	store, err := journal.Look(name)
	switch {
	case err == nil:
		return store, nil
	case errors.Is(err, fs.ErrNotExist) && !c.IsSet("state"):
		return nil, errNoRuns
	case errors.Is(err, fs.ErrNotExist):
		if _, there := os.Stat(name); there == nil {
			return nil, usagef("-state %s: there are no runs in it", name)
		}
	}
	return nil, usagef("-state %s: %v", name, reason(err))
}

// unreadable makes the error about a record that cannot be read.
func (s *command) unreadable(err error) error {
	switch {
	case errors.Is(err, journal.ErrNotFound):
		return usagef("%v", err)
	case err != nil:
		s.code = batch.ExitInternal
	}
	return err
}

// mend says what can be done about a run that cannot be read.
func mend(info *journal.RunInfo) string {
	var newer *journal.NewerError
	if errors.As(info.Broken, &newer) {
		return info.Broken.Error() // which says it
	}
	return fmt.Sprintf("%v; supervisor prune %s removes it", info.Broken, info.ID)
}

// condition names what has become of a run in a word.
func condition(info *journal.RunInfo) string {
	var newer *journal.NewerError
	switch {
	case info.Broken == nil:
		return string(info.State)
	case errors.As(info.Broken, &newer):
		return "newer"
	}
	return "damaged"
}
