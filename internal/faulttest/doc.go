// Package faulttest is a worker that was written to do harm: it speaks the protocol by
// hand, so that it can break every rule of it. It is for tests, which play their
// faults with it in a process that a supervisor has started:
//
//	w := faulttest.New("noop")
//	m := w.Begin() // ready, and the first job
//	w.Raw(make([]byte, 4)) // a frame of no bytes
//
// What the test itself does wrong ends the process with code 98.
package faulttest
