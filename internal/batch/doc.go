// Package batch is one run of a job file: it expands the jobs into instances,
// starts them in the order of their needs through an Executor, and records,
// prints and counts how each one ended.
//
// The one idea: a run is a stream. Items are read as there is room for them, a
// bounded window of instances is under way, and of those that have ended only
// figures are kept, so that a run of a hundred million instances needs as much
// memory as one of ten thousand. A reader of the output that is slow makes the
// run slow, and nothing grow.
//
//	local, err := batch.OpenLocal(pool.Config{Workers: 4}, file, batch.Settings{})
//	...
//	report := batch.Run(ctx, batch.Config{
//		File: file, Executor: local, Workers: 4, Drain: 30 * time.Second,
//		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
//	})
//	os.Exit(report.Exit)
//
// # What is started
//
// Instances start in the order of the file as far as priorities and needs allow:
// those of an earlier job before those of a later one, but those that take an item
// of another job before that one's next. The index of an instance counts the
// product of foreach, or its chunks, which is the outer loop, and matrix.
//
// A need is met when every instance of it was ok, or it has continue_on_error or
// allow_failure. The instances of a job with a need that was not met, or whose
// `when` does not hold, are skipped, each with a record of its own where the file
// tells how many they are (no foreach, a list, a range). What other sources hold is
// not read then, and the job has one record without an index. Skipped by `when`, or
// because what `creates` names is there, is no failure.
//
// Sources are read once the needs of their job are met. One that cannot be read
// then is one record of outcome failed, which input; so is each line of a jsonl
// source that is not JSON, and each record of a csv source with a number of fields
// of its own. The sources of jobs without needs are looked at before anything is
// started. A line ends with LF or CR LF, neither of which belongs to the item; the
// last one may lack it. Records of a nul source are taken as they are. An item may
// have up to MaxItem bytes. A glob yields files, each once, in byte order of their
// paths, and holds the names in the folders on the way to the current one in memory.
// What another job has printed is read in the order in which its instances ended.
//
// max_parallel counts an instance from when it is made to its end, also while it
// waits for another attempt. Slots, units of resources, memory and turns of a rate
// are given back while it does.
//
// # What is printed
//
// By default, the output of an instance is that of its last attempt, whole, its
// stdout to stdout and its stderr to stderr, when it has ended and its record is on
// the disk. Behind what a task has printed comes its result, on a line: a text as it
// is, anything else as JSON, and nothing for nil. A task that printed an unfinished
// line has it ended first. The event of its end follows when all of that is written.
// With order, instances are printed in the order of levels, the file and the index;
// the head is printed while it runs if it is not to be tried again. With live, lines
// are printed as they come, each behind its instance's label and a tab.
//
// # How a run ends early
//
// By a signal, a deadline, a halt policy, workers that cannot be started, a journal
// that cannot be written, or a stdout that nobody reads. What has not started then has no record, and is
// counted as not started. What runs finishes (SIGINT, soon) or is interrupted.
// An instance that waits for another attempt ends as cancelled.
package batch
