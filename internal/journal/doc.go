// Package journal is the durable record of runs: what each instance came to, and
// what it wrote, so that it survives the supervisor and can be resumed, listed
// and read while it grows.
//
// The one idea: a folder for each run, which nobody but its run writes. It holds
// a SQLite database for the records, segment files for the outputs, and a lock
// whose holder is alive. So supervisors that share a state folder never wait for
// each other, and a reader never waits for a run, nor a run for a reader.
//
//	store, err := journal.Open(".supervisor")
//	run, err := store.Create(journal.Info{ID: id, File: "job.yaml", Begin: time.Now(), Jobs: jobs})
//	var b journal.Batch
//	b.Add(&journal.Row{Job: 0, Index: 0, Key: key, Outcome: "ok"}, stdout, stderr)
//	err = run.Commit(&b) // on the disk when it returns
//	b.Reset()
//
// What Commit has returned nil for is there after a SIGKILL, and, as far as the
// disk keeps its word, after a loss of power. Outputs are on the disk before the
// rows that refer to them; bytes in a segment that no row refers to are what was
// written last by a run that was killed, and are ignored.
//
// # The folder
//
//	.supervisor/runs/ID/journal.db    the records; docs/journal.md describes the tables
//	.supervisor/runs/ID/lock          locked while the run or its guardian lives
//	.supervisor/runs/ID/outputs/      segment files
//	.supervisor/runs/ID/control.sock  reserved
//
// The folders belong to one user and are closed to all others. A symbolic link
// in the place of anything here, or a folder of somebody else, is an error.
//
// # Resuming
//
// A Past looks up instances by their keys in an earlier run and in all that it
// had resumed. It goes through the old rows in step with the input and needs an
// index only where the order differs by more than 64k rows. What was ok is
// carried: its row is copied, and the segment files are linked, so that each run
// stands by itself and an older one may be removed.
package journal
