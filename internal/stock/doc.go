// Package stock defines the tasks that come with the supervisor: to try it out,
// to measure it, and to see what becomes of a job that goes wrong in each of the
// ways in which one can.
//
// A program has them by importing the package:
//
//	import _ "github.com/feac4032/multiproc/internal/stock"
//
// Values in a job file are often written without regard to their type, such as
// an item that is a number. Tasks that take a text therefore take any scalar,
// and tasks that take a quantity take a number or its usual text.
package stock
