package process

import (
	"errors"
	"os"
	"slices"

	"github.com/feac4032/multiproc/internal/child"
	"github.com/feac4032/multiproc/internal/spawn"
)

// Command makes a process that will run a program with arguments, argv[0] being
// looked up as a shell does it. Nothing is interpreted: there is no shell. Nothing
// is started before Start. Its stdin is the null device if no option says
// otherwise.
func Command(argv []string, opts ...Option) *Process {
	return newProcess(&commandWork{argv: slices.Clone(argv)}, opts)
}

// commandWork is a program with its arguments.
type commandWork struct{ argv []string }

func (w *commandWork) prepare(o *options) error {
	if len(w.argv) == 0 {
		return errors.New("command is empty")
	}
	return o.check(true)
}

func (w *commandWork) start(g *spawn.Guardian, r *run) error {
	path, err := child.LookPath(w.argv[0], r.opts.env, r.opts.dir)
	if err != nil {
		return err
	}
	in, err := openInput(r.opts.stdin)
	if err != nil {
		return err
	}
	r.proc, err = new(child.Ability).Start(g, &spawn.Spec{
		Path: path, Argv: w.argv, Env: r.opts.env, Dir: r.opts.dir,
		Files: []*os.File{in.theirs, r.out.stdout.theirs, r.out.stderr.theirs},
	}, &r.opts.confinement)
	in.started()
	if err != nil {
		in.close()
		return err
	}
	r.in = in
	return nil
}
