package config

import "time"

// Kind is what an instance of a job runs.
type Kind uint8

// The kinds of jobs. A job has exactly one.
const (
	Run   Kind = iota + 1 // an argv, without a shell
	Shell                 // a script for sh -c, in which nothing is expanded
	Task                  // a function of a worker program
)

// String gives the kind's key in the file.
func (k Kind) String() string {
	switch k {
	case Run:
		return "run"
	case Shell:
		return "shell"
	case Task:
		return "task"
	}
	return "unknown"
}

// Job is one entry of `jobs` with the file's defaults merged in.
type Job struct {
	ID  string
	Pos Pos

	Kind  Kind
	Run   []*Template // argv; Kind Run
	Shell string      // script, verbatim; Kind Shell
	Task  string      // name; Kind Task
	Args  *Args       // Kind Task; nil: the item itself, typed

	Foreach *Foreach // nil: no items
	Matrix  *Matrix  // nil: none
	Chunk   Chunk    // how many items one instance takes; zero: one

	Needs           []*Job // in the order written
	Level           int    // 0: needs nothing; otherwise one more than its deepest need
	When            When   // what must have become of the needs
	ContinueOnError bool   // a failure lets needs pass
	AllowFailure    bool   // as that, and it does not count for the exit code

	Timeout     time.Duration // of one attempt; 0: none
	KillAfter   time.Duration // between TERM and KILL; 0: KILL at once
	Retry       Retry
	MaxParallel int  // slots at most; 0: no bound
	Rate        Rate // of starts; zero: no bound
	Priority    int  // higher ones first

	Uses   []Use // of the file's resources, in the order written
	Slots  int   // how many an attempt takes; never 0
	Memory int64 // bytes that an attempt is expected to take; 0: not said

	Env        []EnvVar    // top level, defaults and job merged by name
	InheritEnv *InheritEnv // the job's, else the file's; nil: neither says
	Secrets    []Secret    // variables that it gets, and nobody is shown
	EnvFiles   []EnvFile   // of variables that it gets; below Env, later ones win
	Cwd        *Template   // nil: the file's folder
	Stdin      *Stdin      // nil: /dev/null
	Stdout     *Template   // path of a file that gets the output of an ok instance; nil: none
	Creates    *Template   // path; an instance whose path exists is skipped; nil: none
	OkExit     []int       // exit codes that count as ok; never empty
	Worker     *Worker     // Kind Task: the job's, else the file's; nil: the stock worker

	// Limits hold for each attempt: of a task, the job's own win by key over those of
	// its worker. Nil: none.
	Limits *Limits
	// Isolation is an Isolation… constant: the job's, else its worker's; "": neither
	// says. With RequireIsolation an attempt that cannot have it does not run.
	Isolation        string
	RequireIsolation bool
}

// Argv expands the command of a `run` job. An element that is exactly {{.items}}
// becomes as many arguments as there are items. It fails with an [*Error] where
// a template does.
func (j *Job) Argv(s *Scope) ([]string, error) {
	argv := make([]string, 0, len(j.Run)+len(s.Items))
	for _, t := range j.Run {
		if t.isItems() {
			for _, item := range s.Items {
				argv = append(argv, item.Text())
			}
			continue
		}
		text, err := t.Text(s)
		if err != nil {
			return nil, err
		}
		argv = append(argv, text)
	}
	return argv, nil
}

// ExitOK reports whether an exit code counts as ok for a command of this job.
func (j *Job) ExitOK(code int) bool {
	for _, ok := range j.OkExit {
		if ok == code {
			return true
		}
	}
	return false
}

// RefersTo reports whether any template of the job refers to root, one of item,
// items, index, matrix, var, job, attempt and slot. The script of a `shell` job
// is not searched: there values arrive in the environment.
func (j *Job) RefersTo(root string) bool {
	found := false
	j.eachTemplate(func(t *Template) { found = found || t.Uses(root) })
	return found
}

// eachTemplate calls f for every template of the job.
func (j *Job) eachTemplate(f func(*Template)) {
	for _, t := range j.Run {
		f(t)
	}
	if j.Args != nil {
		j.Args.eachTemplate(f)
	}
	for i := range j.Env {
		f(j.Env[i].Value)
	}
	for _, t := range [...]*Template{j.Cwd, j.Stdout, j.Creates} {
		if t != nil {
			f(t)
		}
	}
	if j.Stdin == nil {
		return
	}
	if j.Stdin.Text != nil {
		f(j.Stdin.Text)
	}
	if j.Stdin.File != nil {
		f(j.Stdin.File)
	}
}

// Stdin is what an instance's standard input holds. Exactly one is set.
type Stdin struct {
	Text *Template
	File *Template // path, relative to the file's folder
}
