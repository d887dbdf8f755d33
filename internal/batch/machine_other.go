//go:build !linux

package batch

import (
	"fmt"
	"runtime"
)

func loadAverage() (float64, error) {
	return 0, fmt.Errorf("the load cannot be found out on %s", runtime.GOOS)
}

func availableMemory() (int64, error) {
	return 0, fmt.Errorf("free memory cannot be found out on %s", runtime.GOOS)
}

func totalMemory() int64 { return 0 }
