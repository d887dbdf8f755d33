// Package boot decides, before almost all other code of a program runs, what
// this process was started as: an ordinary program, a worker, a guardian, or a
// jail stub.
//
// A supervisor starts workers and its guardian, and the guardian its stubs, by
// executing a program with one of three markers in its environment. The one idea
// here: a worker's protocol runs over descriptors 0 and 1, which any package's
// init function may read or print to. So the init function of this package, a
// leaf that imports only syscall and is therefore initialised early, moves the
// two to private descriptors, points 0 at the null device and 1 at the captured
// output, and removes the marker so that the worker's own children do not act as
// workers.
//
//	MULTIPROC_WORKER="out=3 page=4"   0 link in, 1 link out, 2 stderr, 3 stdout capture, 4 shared page
//	MULTIPROC_GUARD="ctl=3 parent=4"  3 control socket, 4 pidfd of the supervisor
//	MULTIPROC_JAIL="ctl=3"            the socket to the guardian, above the program's descriptors
//
// A program then asks:
//
//	if boot.Role == boot.Worker {
//		serve(boot.In, boot.Out)
//	}
//
// On Windows only Role is set; descriptors are left as they are.
package boot
