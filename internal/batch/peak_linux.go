package batch

import (
	"bytes"
	"os"
	"strconv"
)

// peakRSS gives the most memory that this process has had resident, in bytes,
// and 0 when the system does not say. It counts from the last exec, unlike
// getrusage, which begins with what the parent had.
func peakRSS() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, b, ok := bytes.Cut(b, []byte("\nVmHWM:"))
	if !ok {
		return 0
	}
	b, _, _ = bytes.Cut(b, []byte(" kB"))
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}
