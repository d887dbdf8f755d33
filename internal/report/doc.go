// Package report writes what a run leaves besides what is on the terminal: a row
// of results for each instance, reports for people and for build servers, a trace
// for a timeline, and a folder of outputs.
//
// The one idea: the end of an instance is a [Row], and all that is written is a
// [Sink] of rows. A sink keeps a row no longer than Add, so that its memory does
// not grow with the number of instances: what can only be written at the end waits
// in a file without a name.
//
//	sink, err := report.OpenResults("results.csv")
//	...
//	err = sink.Add(&report.Row{Job: "hash", Label: "hash#3", Index: 3, Outcome: "ok"})
//	...
//	err = sink.Close(&report.Summary{Name: "thumbnails", Exit: 0})
//
// All that comes from jobs is hostile: texts are any bytes, results are checked
// before they are read, and names of files never come from either.
package report
