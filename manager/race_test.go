//go:build race

package manager_test

// slowed is how much longer things may take: what is claimed of times is claimed
// without the race detector, under which a large item is ten times the work.
const slowed = 5
