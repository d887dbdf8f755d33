package pool

// Outcome is how an attempt, and in the end a job, came out. Exactly one holds.
type Outcome string

const (
	// OK: the task returned a value; the command exited with a code that counts
	// as success.
	OK Outcome = "ok"
	// Failed: the task returned an error or panicked (Which is "panic" then);
	// the command exited with another code, or could not be started (Which is
	// "spawn").
	Failed Outcome = "failed"
	// Crashed: the process ended under the job. A command by a signal; a task's
	// worker in any way, whatever its exit code.
	Crashed Outcome = "crashed"
	// TimedOut: the attempt took longer than its timeout.
	TimedOut Outcome = "timeout"
	// Limited: the attempt went over a limit; Which names it.
	Limited Outcome = "limit"
	// Cancelled: it was taken back, or interrupted, on request.
	Cancelled Outcome = "cancelled"
	// Poisoned: it has taken its second worker with it and is not tried again.
	Poisoned Outcome = "poisoned"
	// Protocol: its worker broke the protocol and was killed.
	Protocol Outcome = "protocol"
	// Internal: this library, or its guardian, failed.
	Internal Outcome = "internal"
)

// Refinements of an outcome, in Result.Which.
const (
	WhichSpawn  = "spawn"  // Failed: the command could not be started
	WhichSlots  = "slots"  // Failed: it takes more slots than Resize has left
	WhichInput  = "input"  // Failed: Prepare could not make the attempt
	WhichPanic  = "panic"  // Failed: the task panicked
	WhichFatal  = "fatal"  // Crashed: a fatal error of the Go runtime
	WhichOOM    = "oom"    // Crashed: the Go runtime was out of memory
	WhichStuck  = "stuck"  // Crashed: its worker did not answer heartbeats, and was killed
	WhichOutput = "output" // Limited: stdout and stderr together
	WhichStart  = "start"  // Internal: no worker could be started for it
)
