// Command bench measures this project, what it is compared with, and the floor that
// system calls set, in turns on one machine, and writes docs/benchmarks.md.
//
//	go run .              everything, in about ten minutes
//	go run . -short       everything once, with tiny numbers: does it work?
//	go run . -only lock   a part
//
// The one idea: every subject is a program that prints its figures, or that is
// timed as a whole, and each round runs every one of them once, in another order.
// So what else the machine does meanwhile meets all of them.
package main
