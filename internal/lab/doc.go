// Package lab is a bench for experiments with isolation: each one states a claim,
// does the same work with threads and with processes, and says side by side what
// was seen.
//
// The one idea: what was seen are facts, typed values with a name and a unit, one
// for each side. The verdict is computed from them, and both the text and the JSON
// print them and nothing else.
//
//	chosen, err := lab.Choose(os.Args[1:])
//	...
//	err = lab.Run(ctx, chosen, lab.Config{Workers: 4}, func(r *lab.Report) {
//		r.WriteText(os.Stdout)
//	})
//
// Threads are goroutines of this process, and processes run this program again:
// its main has to call worker.Init first. Whatever ends a process is done in a
// child of its own, also by the threads of an experiment.
//
// An experiment whose claim is about speed is judged by medians, and by
// differences that no other load of the machine can turn around.
package lab
