// Package config reads the job file: a strict YAML document that says which
// instances of work there are, in which order, and with what limits.
//
// The one idea: everything that can be known to be wrong with a file is known
// before any process is started. [Load] parses the whole file, merges defaults,
// compiles every template and checks every name, and reports all mistakes at
// once, each with line and column:
//
//	f, err := config.Load("job.yaml")
//	var bad config.Errors
//	if errors.As(err, &bad) {
//		for _, e := range bad {
//			fmt.Fprintln(os.Stderr, e) // job.yaml:7:5: unknown key "comand" in a job (did you mean "run"?)
//		}
//	}
//	for _, j := range f.Jobs {
//		argv, err := j.Argv(&config.Scope{Item: config.String("a.txt"), Job: j.ID, Attempt: 1, Slot: 1})
//		...
//	}
//
// Values keep the text they were written with, so that 3.0 stays "3.0" in an
// argument, and data is never expanded a second time: an item that holds "{{"
// stays as it is.
//
// The package only describes sources of items (files, globs, ranges); it opens
// nothing but the job file itself.
package config
