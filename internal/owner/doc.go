// Package owner is who holds and who waits: the identity that a context carries,
// what an owner has in its hands, what becomes of that at its end, and the graph
// of waits in which a deadlock is a cycle.
//
// An owner is one flow of control: the attempt at a job, a thread, the main
// function of a process. Whoever ends, in whatever way, is told to every object
// that has something of it: a lock that it holds, a permit, a lease, a wait. That
// is what the semaphores of POSIX, and so Python's multiprocessing, do not know.
package owner
