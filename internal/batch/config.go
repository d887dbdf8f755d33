package batch

import (
	"io"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/internal/report"
)

// Config describes one run of a job file.
type Config struct {
	File     *config.File
	Executor Executor
	Settings Settings // the executor's

	// Only, if not nil, has the indexes of the instances to run, by job. A job that is
	// not in it has all of its own run.
	Only map[string][]int64

	Workers  int           // slots, for the report and the window
	Halt     config.Halt   // zero = never
	Deadline time.Duration // of the whole run; 0 = none
	// Drain bounds how long a run that was told to end may take to do so; then
	// what still runs is killed. 0 = at once.
	Drain time.Duration
	// Machine, if not nil, says whether this machine is free enough for more to be
	// started.
	Machine *Machine

	// Output is how outputs are printed, a config.Output… constant; "" = group. Tag,
	// if not nil, gives what stands in front of each of their lines; live has the
	// label where it is nil.
	Output string
	Tag    func(*Instance) string
	Quiet  bool // no lines but about failures

	// ID names the run; "" = a name is made up. Journal, if not nil, records it. What
	// Past has of earlier runs is not done again, but for the jobs of Anew.
	ID      string
	Journal *journal.Run
	Past    *journal.Past
	Anew    map[string]bool

	// SpillDir is a folder for what does not fit in memory; "" = the system's for
	// temporary files.
	SpillDir string

	Stdin          io.Reader // of sources that read "-"; nil is empty
	Stdout, Stderr io.Writer
	Events         io.Writer // nil = none
	Logger         hclog.Logger

	// Sinks take the end of each instance, and are closed with that of the run.
	// OutputDir, if not nil, takes the outputs of each.
	Sinks     []report.Sink
	OutputDir *report.OutputDir
	// Progress, if not nil, tells others how far the run is. Hide is called when it
	// is over, before that is summed up.
	Progress *Progress
	Hide     func()
	// Command is what started the run, for reports.
	Command string

	// Signals are those that reached the process. The first interrupt lets running
	// instances finish, another signal interrupts them, a second one kills them.
	Signals <-chan os.Signal

	// Begin is when the run began, for its wall time. Zero = now.
	Begin time.Time
}
