// Package psync has the locks and signals of Python's threading and
// multiprocessing: Lock, RLock, Semaphore, BoundedSemaphore, Condition, Event,
// Barrier, Value and Array.
//
// The one idea: who holds something is known, and his end gives it back. An owner
// is one flow of control: a job, a thread, the main function of a process, or what
// [WithOwner] makes of a goroutine; its context carries it. When it ends, in
// whatever way, its waits are withdrawn and its locks and permits go to those who
// wait, and [Held] tells them that they were abandoned, by whom and why. A wait
// that would never end, because it closes a circle of owners, is refused with a
// [*DeadlockError] that names them all.
//
//	ctx, end := psync.WithOwner(ctx)
//	defer end()
//	db := psync.NewLock(psync.Named("db"))
//
//	held, err := db.Acquire(ctx)
//	if err != nil {
//		return err // not held
//	}
//	defer held.Release()
//	if held.Abandoned != nil {
//		repair() // who held it before has left in the middle
//	}
//
// The New… functions make objects in the memory of this process. Those of a
// manager are the same types, shared by processes; they travel in the arguments of
// tasks. What another system serves becomes one of these types with Over…, if it
// has the few methods of its backend interface. Package psynctest lists what every
// backend must do, by name, and checks it.
//
// # What all have in common
//
// Whatever may cross a pipe takes a context and returns an error. A context that
// ended before the call, or before the grant, is its error, and nothing has
// changed; if the grant came first the call succeeds. So an error of an Acquire
// always means: not held. Those who wait are served first come, first served.
//
// Lock, RLock, Condition and Semaphore.Acquire need an owner and are ErrNoOwner
// without one. Event, Barrier, Value, Number, Array and
// Semaphore.AcquireDetached do not.
//
// A zero value is of no use: all its methods return errors.
//
// An owner is one flow of control: it should not be in two calls at once, and a
// goroutine that it starts gets an owner of its own.
package psync
