//go:build !race

package manager_test

const slowed = 1
