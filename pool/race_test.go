//go:build race

package pool_test

// raceEnabled says that memory cannot be measured: the race detector takes
// several times as much.
const raceEnabled = true
