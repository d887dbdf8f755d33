// Package broker is the state of shared objects: locks, semaphores, conditions,
// events, barriers, cells and queues, as machines that never block. A request
// that cannot be served at once is a Ticket that waits in a line; whoever makes
// room settles it. Package psync and package queue wait for tickets on behalf of
// goroutines of this process, package remote on behalf of workers.
//
// First come, first served: what is given back goes to who has waited longest,
// before anybody else can take it.
package broker
