// Package text writes what people and programs read of a run: JSON objects without
// reflection, and texts from jobs in a form that neither a terminal nor a parser
// trips over.
//
// The one idea: a text of a job is any bytes. Where it is shown, what could act
// on a terminal is an escape; where it is stored, every byte can be had back.
package text
