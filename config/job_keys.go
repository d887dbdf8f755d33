package config

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// draft is a job while it is read.
type draft struct {
	*Job
	env   []EnvVar // its own
	own   *Limits  // its own
	needs []needRef
	shell *yaml.Node // its own script

	required *bool // require_isolation, its own or that of defaults; nil: neither says
}

// needRef is one entry of `needs` before the jobs are known.
type needRef struct {
	id  string
	pos Pos
}

var jobKeys = newKeyset("in a job",
	key[*draft]{name: "id", read: readID},
	key[*draft]{name: "run", read: readRun},
	key[*draft]{name: "shell", read: readShell},
	key[*draft]{name: "task", read: func(c *checker, n *yaml.Node, d *draft) { d.Kind, d.Task = Task, c.taskName(n) }},
	key[*draft]{name: "args", read: func(c *checker, n *yaml.Node, d *draft) { d.Args, _ = c.args(n) }},
	key[*draft]{name: "foreach", read: func(c *checker, n *yaml.Node, d *draft) { d.Foreach = c.foreach(n) }},
	key[*draft]{name: "matrix", read: func(c *checker, n *yaml.Node, d *draft) { d.Matrix = c.matrix(n) }},
	key[*draft]{name: "chunk", read: readChunk},
	key[*draft]{name: "needs", read: readNeeds},
	key[*draft]{name: "when", read: readWhen},
	key[*draft]{name: "continue_on_error", read: func(c *checker, n *yaml.Node, d *draft) { d.ContinueOnError, _ = c.boolean(n, "continue_on_error") }},
	key[*draft]{name: "allow_failure", read: func(c *checker, n *yaml.Node, d *draft) { d.AllowFailure, _ = c.boolean(n, "allow_failure") }},
	key[*draft]{name: "timeout", read: func(c *checker, n *yaml.Node, d *draft) { d.Timeout, _ = c.duration(n, "timeout", 1) }},
	key[*draft]{name: "kill_after", read: func(c *checker, n *yaml.Node, d *draft) { d.KillAfter, _ = c.duration(n, "kill_after", 0) }},
	key[*draft]{name: "retry", read: func(c *checker, n *yaml.Node, d *draft) { d.Retry = c.retry(n) }},
	key[*draft]{name: "limits", read: func(c *checker, n *yaml.Node, d *draft) { d.own = c.limits(n) }},
	key[*draft]{name: "isolation", read: func(c *checker, n *yaml.Node, d *draft) { c.isolation(n, &d.Isolation) }},
	key[*draft]{name: "require_isolation", read: func(c *checker, n *yaml.Node, d *draft) { c.requireIsolation(n, &d.required) }},
	key[*draft]{name: "uses", read: readUses},
	key[*draft]{name: "max_parallel", read: func(c *checker, n *yaml.Node, d *draft) { d.MaxParallel, _ = c.positive(n, "max_parallel") }},
	key[*draft]{name: "rate", read: readRate},
	key[*draft]{name: "priority", read: func(c *checker, n *yaml.Node, d *draft) {
		priority, _ := c.integer(n, "priority", -maxCount, maxCount)
		d.Priority = int(priority)
	}},
	key[*draft]{name: "env", read: func(c *checker, n *yaml.Node, d *draft) { d.env = c.env(n) }},
	key[*draft]{name: "inherit_env", read: func(c *checker, n *yaml.Node, d *draft) { d.InheritEnv = c.inheritEnv(n) }},
	key[*draft]{name: "cwd", read: func(c *checker, n *yaml.Node, d *draft) { d.Cwd, _ = c.path(n, "cwd") }},
	key[*draft]{name: "stdin", read: readStdin},
	key[*draft]{name: "stdout", read: readStdout},
	key[*draft]{name: "creates", read: readCreates},
	key[*draft]{name: "ok_exit", read: readOkExit},
	key[*draft]{name: "secrets", read: readSecrets},
	key[*draft]{name: "env_file", read: readEnvFile},
	key[*draft]{name: "worker", read: func(c *checker, n *yaml.Node, d *draft) { d.Worker = c.worker(n) }},
)

// ownKeys are the keys that defaults cannot give.
var ownKeys = [...]string{"id", "needs", "foreach", "matrix"}

// kindKeys are the keys of which a job has one, in the order of Kind.
var kindKeys = [...]string{"run", "shell", "task"}

// jobID is what an id looks like.
var jobID = regexp.MustCompile(`^[A-Za-z_][\w-]*$`)

// jobs reads defaults and jobs, and then what needs all of them.
func (c *checker) jobs(t *top) {
	base := Job{KillAfter: KillAfter, OkExit: []int{0}, Slots: 1, Worker: t.Worker, InheritEnv: t.InheritEnv, Env: t.Env}
	var required *bool
	if t.defaults != nil {
		required = c.defaults(t.defaults, &base)
	}
	if t.jobs == nil {
		return
	}
	if t.jobs.Kind == yaml.MappingNode && !c.bad[t.jobs] {
		c.wrong(t.jobs, "each job is an entry: - id: NAME", "jobs", "a list")
		return
	}
	items, ok := c.list(t.jobs, "jobs", false)
	if !ok {
		return
	}
	c.needs = make([][]needRef, 0, len(items))
	t.Jobs = make([]*Job, 0, len(items))
	for i, n := range items {
		j := new(Job)
		*j = base
		d := draft{Job: j, required: required}
		j.Pos = posOf(n)
		if c.job(n, &d, base.Kind) {
			t.Jobs = append(t.Jobs, j)
			c.needs = append(c.needs, d.needs)
		}
		// A large file's tree need not outlive the jobs made of it.
		items[i] = nil
	}
	c.resolveNeeds(t.File)
	for _, j := range t.Jobs {
		c.references(j)
	}
}

// defaults reads what stands behind all jobs, and returns its require_isolation.
func (c *checker) defaults(n *yaml.Node, base *Job) (required *bool) {
	d := draft{Job: base}
	set, ok := jobKeys.read(c, n, "defaults", &d)
	if !ok {
		return nil
	}
	for _, name := range ownKeys {
		if k := keyNode(n, name); k != nil && jobKeys.has(set, name) {
			c.failNode(k, "", "%s cannot stand in defaults: each job has its own", name)
		}
	}
	c.oneKind(n, set)
	c.script(&d)
	base.ID, base.Foreach, base.Matrix = "", nil, nil
	base.Env = mergeEnv(base.Env, d.env)
	base.Limits = d.own
	return d.required
}

// job reads one entry; kind is what defaults say.
func (c *checker) job(n *yaml.Node, d *draft, kind Kind) bool {
	set, ok := jobKeys.read(c, n, "a job", d)
	if !ok {
		return false
	}
	if !jobKeys.has(set, "id") {
		c.failNode(n, "", "the job has no id")
	}
	if c.oneKind(n, set) == 0 && kind == 0 {
		c.failNode(n, "", "the job has none of run, shell and task")
	}
	d.Env = mergeEnv(d.Env, d.env)
	d.Limits = mergeLimits(d.Limits, d.own)
	c.fitKind(n, set, d.Job)
	c.confine(n, d)
	c.fitSecrets(d.Job)
	c.fitChunk(n, d.Job)
	c.fitWhen(n, d)
	c.script(d)
	return true
}

// oneKind counts run, shell and task, and refuses more than one.
func (c *checker) oneKind(n *yaml.Node, set uint64) int {
	count := 0
	for _, name := range kindKeys {
		if !jobKeys.has(set, name) {
			continue
		}
		if count++; count > 1 && keyNode(n, name) != nil {
			c.failNode(keyNode(n, name), "", "a job has exactly one of run, shell and task")
		}
	}
	return count
}

// fitKind drops what defaults say for other kinds of jobs, and refuses it where
// the job itself says it.
func (c *checker) fitKind(n *yaml.Node, set uint64, j *Job) {
	only := func(name, kinds string) {
		if k := keyNode(n, name); k != nil && jobKeys.has(set, name) && j.Kind != 0 {
			c.failNode(k, "", "%s is for %s, this job has %s", name, kinds, j.Kind)
		}
	}
	if j.Kind != Task {
		only("args", "task")
		only("worker", "task")
		j.Task, j.Args, j.Worker = "", nil, nil
	} else {
		only("stdin", "run and shell")
		only("ok_exit", "run and shell")
		j.Stdin = nil
	}
	if j.Kind != Run {
		j.Run = nil
	}
	if j.Kind != Shell {
		j.Shell = ""
	}
}

func readID(c *checker, n *yaml.Node, d *draft) {
	s, ok := c.text(n, "id")
	switch {
	case !ok:
		return
	case len(s) > maxName:
		c.failNode(n, "", "id has %d bytes, at most %d are allowed", len(s), maxName)
		return
	case !jobID.MatchString(s):
		c.failNode(n, "", "id %s must be letters, digits, _ and -, and start with a letter or _", quote(s))
		return
	}
	if first := c.byID[s]; first != nil {
		c.failNode(n, "", "id %s is taken by the job in line %d", quote(s), first.Pos.Line)
		return
	}
	d.ID = s
	c.byID[s] = d.Job
}

func readRun(c *checker, n *yaml.Node, d *draft) {
	d.Kind = Run
	if n.Kind == yaml.ScalarNode && !isNull(n) && !c.bad[n] {
		c.failNode(n, "write a list, or shell: for a shell's command line", "run must be a list, not %s", kindName(n))
		return
	}
	items, ok := c.list(n, "run", false)
	if !ok {
		return
	}
	d.Run = make([]*Template, 0, len(items))
	for i, e := range items {
		read, what := c.template, "an argument in run"
		if i == 0 {
			read, what = c.path, "the program in run"
		}
		if t, ok := read(e, what); ok {
			d.Run = append(d.Run, t)
		}
	}
}

func readShell(c *checker, n *yaml.Node, d *draft) {
	d.Kind = Shell
	s, ok := c.text(n, "shell")
	if !ok {
		return
	}
	if strings.TrimSpace(s) == "" {
		c.failNode(n, "", "shell is empty")
		return
	}
	d.Shell, d.shell = s, n
}

// script refuses templates in a script. What to write instead depends on keys
// that may stand behind it.
func (c *checker) script(d *draft) {
	if d.shell == nil {
		return
	}
	if m := rootInBraces.FindStringSubmatch(d.shell.Value); m != nil {
		root := m[1]
		if root == "item" && d.Chunk.Given() {
			root = "items"
		}
		c.failNode(d.shell, "write "+shellName(root, m[2]), "templates are not expanded in shell")
	}
}

// rootInBraces finds a reference that looks like one of ours; other braces
// belong to the programs that a script calls.
var rootInBraces = regexp.MustCompile(`\{\{(?:[^}]*[^\w.)}])?\.(item|items|index|matrix|var|job|attempt|slot)\b(?:\.(\w+))?[^}]*\}\}`)

func hasRoot(s string) bool { return rootInBraces.MatchString(s) }

// shellName gives the variable that holds in a script what a reference means.
// The items of a chunk are the script's arguments.
func shellName(root, field string) string {
	name := "ITEM"
	switch root {
	case "items":
		return `"$@"`
	case "index":
		name = "INDEX"
	case "job":
		name = "JOB_ID"
	case "attempt":
		name = "ATTEMPT"
	case "slot":
		name = "SLOT"
	case "matrix":
		name = "MATRIX"
	case "var":
		name = "VAR"
	}
	if field != "" {
		name = EnvName(name, field)
	}
	return `"$` + name + `"`
}

// taskForm is what the names look like under which workers define tasks.
var taskForm = regexp.MustCompile(`^[A-Za-z_][\w./-]*$`)

func (c *checker) taskName(n *yaml.Node) string {
	s, ok := c.fixed(n, "task")
	if ok && (len(s) > maxName || !taskForm.MatchString(s)) {
		c.failNode(n, "", "task %s must be letters, digits and any of _ - . /, start with a letter or _, and have at most %d bytes", quote(s), maxName)
		return ""
	}
	return s
}

func readNeeds(c *checker, n *yaml.Node, d *draft) {
	if c.bad[n] {
		return
	}
	items := []*yaml.Node{n}
	if n.Kind != yaml.ScalarNode {
		var ok bool
		if items, ok = c.list(n, "needs", true); !ok {
			return
		}
	}
	for _, e := range items {
		if s, ok := c.fixed(e, "a name in needs"); ok {
			d.needs = append(d.needs, needRef{s, posOf(e)})
		}
	}
}

var stdinKeys = newKeyset("in stdin",
	key[*Stdin]{name: "file", read: func(c *checker, n *yaml.Node, s *Stdin) { s.File, _ = c.path(n, "stdin: file") }},
)

func readStdin(c *checker, n *yaml.Node, d *draft) {
	if c.bad[n] {
		return
	}
	in := &Stdin{}
	if n.Kind != yaml.MappingNode {
		if s, ok := c.data(n, "stdin"); ok {
			in.Text, _ = c.compile(n, s)
		}
	} else if set, ok := stdinKeys.read(c, n, "stdin", in); ok && set == 0 {
		c.failNode(n, "", "stdin has no file")
	}
	d.Stdin = in
}

var stdoutKeys = newKeyset("in stdout",
	key[*draft]{name: "file", read: func(c *checker, n *yaml.Node, d *draft) { d.Stdout, _ = c.path(n, "stdout: file") }},
)

func readStdout(c *checker, n *yaml.Node, d *draft) {
	if set, ok := stdoutKeys.read(c, n, "stdout", d); ok && set == 0 {
		c.failNode(n, "", "stdout has no file")
	}
}

func readCreates(c *checker, n *yaml.Node, d *draft) {
	t, ok := c.path(n, "creates")
	if !ok {
		return
	}
	for _, r := range [...]root{rootAttempt, rootSlot} {
		if t.usesRoot(r) {
			c.failNode(n, "", "{{.%s}}: creates is looked at before there is an attempt", rootNames[r])
			return
		}
	}
	d.Creates = t
}

func readOkExit(c *checker, n *yaml.Node, d *draft) {
	if n.Kind == yaml.ScalarNode && !c.bad[n] {
		c.wrong(n, "write the whole list, like [0, 3]", "ok_exit", "a list")
		return
	}
	items, ok := c.list(n, "ok_exit", false)
	if !ok {
		return
	}
	codes := make([]int, 0, len(items))
	for _, e := range items {
		if code, ok := c.integer(e, "an exit code", 0, 255); ok {
			codes = append(codes, int(code))
		}
	}
	d.OkExit = codes
}
