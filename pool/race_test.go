//go:build race

package pool_test

import "time"

// startLimit is the time that workers have to be ready where some are not.
const startLimit = 3 * time.Second

// raceEnabled says that memory cannot be measured: the race detector takes
// several times as much.
const raceEnabled = true

// matrixLimit is the time that a case of the crash matrix may take.
const matrixLimit = 30 * time.Second

// caseLimit is the time that a case of a hostile worker may take.
const caseLimit = 30 * time.Second
