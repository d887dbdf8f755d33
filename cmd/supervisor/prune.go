package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/internal/text"
)

func pruneFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "keep", Value: "20", Usage: "keep the latest `N` runs"},
		&cli.BoolFlag{Name: "dry-run", Usage: "say what would be removed, and remove nothing", DisableDefaultText: true},
		stateFlag(),
	}
}

const pruneAbout = `Remove all but the latest runs, by default 20, with the outputs that they have stored; or just the RUNs that are named.
A run that is under way, or is being resumed, stays. Runs that have resumed a removed one have copies of what they took from it.`

// prune removes runs from the state folder.
func (s *command) prune(c *cli.Context) error {
	keep, err := strconv.Atoi(c.String("keep"))
	if err != nil || keep < 0 {
		return usagef("-keep %s: want a number of runs, 0 or more", c.String("keep"))
	}
	named := c.Args().Slice()
	if len(named) > 0 && c.IsSet("keep") {
		return usagef("prune: -keep %d and the names of runs exclude each other", keep)
	}
	store, err := look(c)
	if err != nil {
		return usagef("%v", err)
	}
	defer store.Close()
	doomed, err := s.doomed(store, named, keep)
	if err != nil {
		return err
	}
	p := &pruning{w: bufio.NewWriter(s.stdout), dry: c.Bool("dry-run")}
	for i := range doomed {
		info := &doomed[i]
		if info.State == journal.Running {
			p.stays(s, &journal.InUseError{Run: info.ID})
			continue
		}
		if !p.dry {
			err = store.Remove(info.ID)
		}
		switch {
		case err == nil:
			p.removed(info)
		case errors.Is(err, journal.ErrInUse):
			p.stays(s, err)
		case !errors.Is(err, journal.ErrNotFound): // else somebody was faster
			s.code = batch.ExitInternal
			fmt.Fprintf(s.stderr, "supervisor: %s: %v\n", info.ID, err)
		}
		err = nil
	}
	if !p.dry && len(named) == 0 {
		// No run is too many then; what was left behind half made or half removed is.
		_, err = store.Prune(math.MaxInt)
	}
	if p.used && len(named) > 0 {
		s.code = max(s.code, batch.ExitInUse)
	}
	if ferr := s.flush(p.w); ferr != nil {
		return ferr
	}
	done := "removed"
	if p.dry {
		done = "would be removed"
	}
	fmt.Fprintf(s.stderr, "supervisor: %s %s %s, %s\n", text.Number(p.runs), text.Plural(p.runs, "run", "runs"), done, text.Size(p.bytes))
	return s.unreadable(err)
}

// doomed gives the runs that are to go: those that are named, or all but the latest.
func (s *command) doomed(store *journal.Store, named []string, keep int) (list []journal.RunInfo, err error) {
	if len(named) == 0 {
		list, err = store.Runs()
		return list[min(keep, len(list)):], s.unreadable(err)
	}
	for _, name := range named {
		info, err := store.Find(name)
		if err != nil {
			return nil, usagef("%v", err)
		}
		list = append(list, info)
	}
	return list, nil
}

// pruning is what has gone so far.
type pruning struct {
	w     *bufio.Writer
	dry   bool
	used  bool // a run stays that is in use
	runs  int64
	bytes int64
}

func (p *pruning) removed(info *journal.RunInfo) {
	p.runs++
	p.bytes += info.Bytes
	fmt.Fprintf(p.w, "%s  %s  %s  %s\n", info.ID, moment(info.Begin), text.Size(info.Bytes), orDash(text.Plain(info.Name, 30)))
}

func (p *pruning) stays(s *command, err error) {
	p.used = true
	fmt.Fprintf(s.stderr, "supervisor: %v; it stays\n", err)
}
