// Package local serves the objects of package broker to goroutines of this
// process: calls that block until their ticket is settled, with the owner that
// their context carries.
//
// Its types are the backends of package psync's objects in memory, and what a
// goroutine of the supervisor calls for an object of its manager. A call that
// does not have to wait allocates nothing.
package local
