//go:build !race

package pool_test

import "time"

const startLimit = 300 * time.Millisecond

const raceEnabled = false
