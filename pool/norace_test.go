//go:build !race

package pool_test

import "time"

const startLimit = 300 * time.Millisecond

const raceEnabled = false

// matrixLimit is the time that a case of the crash matrix may take.
const matrixLimit = 5 * time.Second

// caseLimit is the time that a case of a hostile worker may take.
const caseLimit = 8 * time.Second
