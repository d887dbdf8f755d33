//go:build race

package main

// raceEnabled: the race detector's own memory is part of what is measured.
const raceEnabled = true
