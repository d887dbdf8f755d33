// Package broker is the state of shared objects: locks, semaphores, conditions,
// events, barriers, cells and queues, as machines that never block. A request
// that cannot be served at once is a Ticket that waits in a line; whoever makes
// room settles it. Package local and package queue wait for tickets on behalf of
// goroutines of this process, package remote on behalf of workers.
//
//	l := broker.NewLock("db", false)
//	t := &broker.Ticket{Owner: o}
//	if err := broker.Await(ctx, t, l.Acquire); err != nil {
//		return err // not held
//	}
//	if t.Abandoned != nil {
//		repair() // whoever held it last has ended without releasing it
//	}
//	defer l.Release(o)
//
// First come, first served: what is given back goes to who has waited longest,
// before anybody else can take it.
//
// # Locks
//
// Every object has one mutex; that of a Condition is its Lock's. It guards the
// object, and the places of the tickets in its lines. Under it the locks of package
// owner may be taken, and never the other way round: an owner that ends tells its
// parties without a lock. No two objects are locked at once. What has become final
// under a mutex is noted in settlements and told when it is not held any more, so
// that whoever is told may ask any object again.
//
// # What nobody can lose
//
// A grant is decided under the object's mutex and by owner.Enter, which fails if the
// owner has ended; then the next one gets it. So whatever an owner is given is taken
// back at its end, even if it never came to know that it had it. A Cancel, and the
// end of an owner, meet a ticket either in its line, or settled.
package broker
