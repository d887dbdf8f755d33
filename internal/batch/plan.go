package batch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/mask"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/pool"
)

// Settings are what the instances of a run depend on beside the job file.
type Settings struct {
	// Environ is the supervisor's environment, of which instances inherit. Nil =
	// this process's.
	Environ []string
	// Env is declared for every instance; it wins over the file's.
	Env []config.Field
	// Vars are those of the file's variables that were given another value.
	Vars []config.Field
	// Isolation is the level that a flag gave to the jobs that say nothing, "" = none: it
	// is for people. The jobs have it already.
	Isolation string
	// Secrets are those of the file, as OpenSecrets gives them; nil = there are none, or
	// they are not open yet.
	Secrets *Secrets
	// StockWorker is the argv of the stock worker. Nil = this program again.
	StockWorker []string
	// Timeout of an attempt where the job says none; 0 = none.
	Timeout time.Duration
	// Plans are the file's, as NewPlans makes them of all of the above, so that a run and
	// its executor have the same. Nil = each makes its own.
	Plans *Plans
}

// Plans are the jobs of a file with everything worked out that their instances share.
type Plans struct {
	of  *config.File
	all []*plan
}

// NewPlans works out all jobs of a file. It opens the secrets if nobody has.
func NewPlans(f *config.File, s *Settings) (*Plans, error) {
	all, err := newPlans(f, s)
	if err != nil {
		return nil, err
	}
	return &Plans{f, all}, nil
}

// plan is a job with everything worked out that its instances share. It is only
// read once it is made, its cache of programs aside.
type plan struct {
	job    *config.Job
	vars   []config.Field
	many   bool             // instances are told apart by an index
	combos [][]config.Field // of the matrix; one that is empty without a matrix
	root   string           // absolute folder of the file
	file   string           // its path as it was given; "" = there is none
	given  []config.Field   // variables that flags gave

	isolation string // that a flag gave; "" = none

	env      []string        // inherited, VAR_, and what is declared if it is fixed; shared
	declared []config.EnvVar // the file's and the flags'
	fixedEnv bool            // declared needs no instance to expand
	axisEnv  []string        // "MATRIX_<AXIS>=", in order

	timeout   time.Duration
	killAfter time.Duration
	limits    *pool.Limits // nil = none
	level     pool.Level
	command   []string // of the worker; Kind Task
	start     time.Duration
	workers   pool.Program  // what all workers of the job have in common; Kind Task
	program   *pool.Program // where it is the same for all instances
	depth     int           // how many jobs stand behind it by `from`
	programs  *programs     // asked by the one who submits
	keyBase   []byte
	mask      *mask.Masker // hides the secrets of the run; nil = there are none
}

// maxCombos bounds how many combinations of a matrix are kept expanded; config
// bounds how many there are.
const maxCombos = 1 << 12

// maxDepth bounds how far jobs that take each other's items are put in front of
// those that give them.
const maxDepth = 100

// planner makes the plans of a file's jobs, and has them share what is equal: a
// file may have a hundred thousand jobs.
type planner struct {
	file     *config.File
	settings *Settings
	root     string
	environ  []string
	bases    map[base][]string
	programs programs
}

// base is what decides which environment instances begin with.
type base struct {
	inherit *config.InheritEnv
	secrets *config.Secret // the first of those of a job, nil = none
	files   *config.EnvFile
}

// newPlans gives the plans of a file, as NewPlans does.
func newPlans(f *config.File, s *Settings) ([]*plan, error) {
	if s.Plans != nil && s.Plans.of == f {
		return s.Plans.all, nil
	}
	root, err := filepath.Abs(f.Dir)
	if err != nil {
		return nil, fmt.Errorf("folder of %s: %w", f.Path, err)
	}
	pl := &planner{file: f, settings: s, root: root, environ: s.Environ, bases: make(map[base][]string)}
	if pl.environ == nil {
		pl.environ = os.Environ()
	}
	if s.Secrets == nil {
		if s.Secrets, err = OpenSecrets(f, s); err != nil {
			return nil, err
		}
	}
	plans := make([]*plan, len(f.Jobs))
	for i, j := range f.Jobs {
		if plans[i], err = pl.plan(j); err != nil {
			return nil, fmt.Errorf("job %s: %w", j.ID, err)
		}
	}
	return plans, nil
}

// base gives what the instances of jobs that inherit the same, and share their secrets
// and files of variables, have in their environment. Nothing is to be appended to it in
// place.
func (pl *planner) base(which *config.InheritEnv, j *config.Job) []string {
	key := base{inherit: which}
	if len(j.Secrets) > 0 {
		key.secrets = &j.Secrets[0]
	}
	if len(j.EnvFiles) > 0 {
		key.files = &j.EnvFiles[0]
	}
	if env, ok := pl.bases[key]; ok {
		return env
	}
	env := append(inherited(pl.environ, which), varsEnv(pl.file.Vars)...)
	env = slices.Clip(pl.settings.Secrets.appendEnv(env, j))
	pl.bases[key] = env
	return env
}

func (pl *planner) plan(j *config.Job) (*plan, error) {
	p := &plan{
		job: j, vars: pl.file.Vars, root: pl.root, programs: &pl.programs,
		file: pl.file.Path, given: pl.settings.Vars, isolation: pl.settings.Isolation,
		many:      j.Foreach != nil || j.Matrix != nil,
		timeout:   j.Timeout,
		killAfter: j.KillAfter,
		mask:      pl.settings.Secrets.Masker(),
	}
	if err := p.confine(); err != nil {
		return nil, err
	}
	p.env = pl.base(p.inherits(), j)
	for f := j.Foreach; f != nil && f.Source == config.FromJob && p.depth < maxDepth; f = f.Of.Foreach {
		p.depth++
	}
	if p.timeout == 0 {
		p.timeout = pl.settings.Timeout
	}
	if p.killAfter == 0 {
		p.killAfter = 1 // at once; 0 would be the pool's default
	}
	p.declare(j.Env, pl.settings.Env)
	if j.Matrix != nil {
		for _, a := range j.Matrix.Axes() {
			p.axisEnv = append(p.axisEnv, config.EnvName("MATRIX", a.Name)+"=")
		}
		if n := j.Matrix.Len(); n <= maxCombos {
			for i := range n {
				p.combos = append(p.combos, j.Matrix.At(i))
			}
		}
	}
	if j.Kind == config.Task {
		if err := p.worker(pl.settings); err != nil {
			return nil, err
		}
	}
	p.keyBase = p.baseOfKey()
	return p, nil
}

// declare merges the flags' variables over the file's and expands at once what
// depends on no instance.
func (p *plan) declare(file []config.EnvVar, flags []config.Field) {
	p.declared = slices.Clone(file)
	for _, f := range flags {
		v := config.EnvVar{Name: f.Name, Value: config.Literal(f.Value.Text())}
		if i := slices.IndexFunc(p.declared, func(e config.EnvVar) bool { return e.Name == f.Name }); i >= 0 {
			p.declared[i] = v
		} else {
			p.declared = append(p.declared, v)
		}
	}
	p.fixedEnv = !slices.ContainsFunc(p.declared, func(e config.EnvVar) bool { return !steady(e.Value) })
	if !p.fixedEnv {
		return
	}
	scope := p.steadyScope()
	env := p.env
	for _, e := range p.declared {
		text, err := e.Value.Text(scope)
		if err != nil {
			p.fixedEnv = false // it fails for every instance, each of which says so
			return
		}
		env = append(env, e.Name+"="+text) // a copy, since the shared one is clipped
	}
	p.env = slices.Clip(env)
}

// steady reports that a template expands alike for all instances of a job.
func steady(t *config.Template) bool {
	if t == nil {
		return true
	}
	for _, root := range [...]string{"item", "items", "index", "matrix", "attempt", "slot"} {
		if t.Uses(root) {
			return false
		}
	}
	return true
}

func (p *plan) steadyScope() *config.Scope {
	return &config.Scope{Vars: p.vars, Job: p.job.ID}
}

// worker works out which processes run the instances of a task.
func (p *plan) worker(s *Settings) error {
	p.command, p.start = s.StockWorker, config.StartTimeout
	p.workers.StuckAfter = config.StuckAfter
	if w := p.job.Worker; w != nil {
		p.start = w.StartTimeout
		p.workers = pool.Program{
			MaxJobs: w.MaxJobs, MaxAge: w.MaxAge, MaxMemory: w.MaxMemory, IdleTimeout: w.IdleTimeout,
			Spares: w.Spares, Threads: w.Threads, StuckAfter: w.StuckAfter,
		}
		if w.Init != nil {
			p.workers.Init = &pool.Init{Task: w.Init.Task, Payload: appendMsgpack(nil, w.Init.Args)}
		}
		if len(w.Command) > 0 {
			p.command = slices.Clone(w.Command)
			// The path of a program, unlike a name that is searched for in PATH, is
			// relative to the file, wherever the worker is to run.
			if strings.ContainsRune(p.command[0], '/') || strings.ContainsRune(p.command[0], filepath.Separator) {
				p.command[0] = resolve(p.root, p.command[0])
			}
		}
	}
	p.workers.Command, p.workers.StartTimeout = p.command, p.start
	p.workers.Limits, p.workers.Isolation, p.workers.Lenient = p.limits, p.level, !p.job.RequireIsolation
	if !p.fixedEnv || !steady(p.job.Cwd) || len(p.job.Uses) > 0 {
		return nil
	}
	scope := p.steadyScope()
	dir, err := p.dir(scope)
	if err != nil {
		return err
	}
	p.program = p.programs.get(&p.workers, p.job.Worker, p.env, dir)
	return nil
}

// matrices is how many combinations each item is run with.
func (p *plan) matrices() int {
	if p.job.Matrix == nil {
		return 1
	}
	return p.job.Matrix.Len()
}

func (p *plan) combo(m int) []config.Field {
	switch {
	case p.job.Matrix == nil:
		return nil
	case p.combos != nil:
		return p.combos[m]
	}
	return p.job.Matrix.At(m)
}

// scope is what the templates of an attempt see.
func (p *plan) scope(in *Instance, attempt, slot int) config.Scope {
	return config.Scope{
		Item: in.Item, Items: in.Items, Index: in.Index, Matrix: in.Matrix, Vars: p.vars,
		Job: p.job.ID, Attempt: attempt, Slot: slot,
	}
}

func (p *plan) dir(s *config.Scope) (string, error) {
	if p.job.Cwd == nil {
		return p.root, nil
	}
	text, err := p.job.Cwd.Text(s)
	if err != nil {
		return "", err
	}
	return resolve(p.root, text), nil
}

// environment gives the variables that all instances share, followed by those
// that are declared in terms of the instance. There is room behind them.
func (p *plan) environment(s *config.Scope) ([]string, error) {
	env := make([]string, len(p.env), len(p.env)+len(p.declared)+len(p.axisEnv)+10)
	copy(env, p.env)
	if p.fixedEnv {
		return env, nil
	}
	for _, e := range p.declared {
		text, err := e.Value.Text(s)
		if err != nil {
			return nil, err
		}
		env = append(env, e.Name+"="+text)
	}
	return env, nil
}

// programOf gives the program whose workers can run an instance of a task. A
// folder that is not there is an error of the instance: workers that cannot
// start for it would seem to be at fault.
func (p *plan) programOf(in *Instance) (*pool.Program, error) {
	prog, err := p.findWorkers(in)
	if err == nil && p.job.Cwd != nil {
		err = checkDir(prog.Dir)
	}
	return prog, err
}

func (p *plan) findWorkers(in *Instance) (*pool.Program, error) {
	if p.program != nil {
		return p.program, nil
	}
	// A worker outlives attempts, so that it can know of none: both count 0.
	s := p.scope(in, 0, 0)
	env, err := p.environment(&s)
	if err != nil {
		return nil, err
	}
	dir, err := p.dir(&s)
	if err != nil {
		return nil, err
	}
	// What it holds stands for the processes too: a library for a device reads it
	// once.
	return p.programs.get(&p.workers, p.job.Worker, appendHolds(env, in.holds), dir), nil
}

// payload gives the argument of a task as msgpack.
func (p *plan) payload(in *Instance, attempt, slot int) ([]byte, error) {
	v := in.argument()
	if p.job.Args != nil {
		s := p.scope(in, attempt, slot)
		var err error
		if v, err = p.job.Args.Value(&s); err != nil {
			return nil, err
		}
	}
	b := appendMsgpack(make([]byte, 0, 64), v)
	if len(b) > ipc.MaxMessage {
		return nil, errTooLarge(len(b), ipc.MaxMessage)
	}
	return b, nil
}

// argv gives the command line of an instance. A script sees the items of a chunk
// as "$@".
func (p *plan) argv(s *config.Scope) ([]string, error) {
	if p.job.Kind != config.Shell {
		return p.job.Argv(s)
	}
	argv := []string{"sh", "-c", p.job.Shell}
	if len(s.Items) > 0 {
		argv = append(argv, "sh")
		for _, v := range s.Items {
			argv = append(argv, v.Text())
		}
	}
	return argv, nil
}

// process gives the command of an attempt.
func (p *plan) process(c *pool.Command, in *Instance, attempt, slot int) error {
	s := p.scope(in, attempt, slot)
	var err error
	if c.Argv, err = p.argv(&s); err != nil {
		return err
	}
	if c.Env, err = p.environment(&s); err != nil {
		return err
	}
	c.Env = p.appendInstanceEnv(c.Env, in, attempt, slot)
	if c.Dir, err = p.dir(&s); err != nil {
		return err
	}
	c.OKExit = p.job.OkExit
	c.Limits, c.Isolation, c.Lenient = p.limits, p.level, !p.job.RequireIsolation
	if p.job.Stdin == nil {
		return nil
	}
	text, path, err := p.stdin(&s)
	c.StdinPath = path
	if path == "" {
		c.Stdin = []byte(text)
	}
	return err
}

func (p *plan) stdin(s *config.Scope) (text, path string, err error) {
	if p.job.Stdin == nil {
		return "", "", nil
	}
	if p.job.Stdin.File != nil {
		path, err = p.job.Stdin.File.Text(s)
		return "", resolve(p.root, path), err
	}
	text, err = p.job.Stdin.Text.Text(s)
	return text, "", err
}

// checkDir finds out whether a process can be started in a folder.
func checkDir(dir string) error {
	st, err := os.Stat(dir)
	switch {
	case err != nil:
		return &dirError{dir, cause(err)}
	case !st.IsDir():
		return &dirError{dir, syscall.ENOTDIR}
	}
	return nil
}

// programs makes equal programs one, by which the pool finds their workers fast.
type programs struct {
	known map[string]*pool.Program
	last  *pool.Program // the one that was asked for last
	of    *config.Worker
}

// maxPrograms bounds the cache: where env or cwd depend on the item there may be
// one for each.
const maxPrograms = 1024

// get gives the program of a job whose workers differ from proto by env and dir.
func (c *programs) get(proto *pool.Program, w *config.Worker, env []string, dir string) *pool.Program {
	if p := c.last; p != nil && c.of == w && p.Dir == dir && alike(p, proto) && slices.Equal(p.Env, env) {
		return p
	}
	key := fmt.Sprintf("%p %s", w, confined(proto)) + "\x00" + strings.Join(proto.Command, "\x00") + "\x00\x00" + strings.Join(env, "\x00") + "\x00\x00" + dir
	p := c.known[key]
	if p == nil {
		if c.known == nil || len(c.known) >= maxPrograms {
			c.known = make(map[string]*pool.Program)
		}
		p = new(pool.Program)
		*p = *proto
		p.Env, p.Dir = env, dir
		c.known[key] = p
	}
	c.last, c.of = p, w
	return p
}
