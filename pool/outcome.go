package pool

import "github.com/feac4032/multiproc/internal/spawn"

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
	// Limited: the attempt went over a limit; Which names it, and Result.Limit,
	// Observed and EnforcedBy say more.
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
	WhichConfine  = "confine"      // Failed: this machine has not got what was to confine it
	WhichSpawn    = "spawn"        // Failed: the command could not be started
	WhichSlots    = "slots"        // Failed: it takes more slots than Resize has left
	WhichInput    = "input"        // Failed: Prepare could not make the attempt
	WhichPanic    = "panic"        // Failed: the task panicked
	WhichFatal    = "fatal"        // Crashed: a fatal error of the runtime of Go or Python
	WhichOOM      = "oom"          // Crashed: the runtime of Go or Python, or the machine, was out of memory
	WhichStuck    = "stuck"        // Crashed: its worker did not answer heartbeats, and was killed
	WhichMemory   = spawn.Memory   // Limited: resident bytes
	WhichCPU      = spawn.CPU      // Limited: time of all processors
	WhichPIDs     = spawn.PIDs     // Limited: processes and threads
	WhichFiles    = spawn.Files    // Limited: open descriptors of a process
	WhichFileSize = spawn.FileSize // Limited: bytes of a file
	WhichOutput   = "output"       // Limited: stdout and stderr together
	WhichStart    = "start"        // Internal: no worker could be started for it
)
