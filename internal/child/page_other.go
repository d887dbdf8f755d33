//go:build !linux

package child

import "os"

// newPage reports that there is no shared page: workers get one job at a time.
func newPage(int) (*os.File, []byte, error) { return nil, nil, nil }

func closePage([]byte) {}

func widen(*os.File) {}

func selfPath() (string, error) { return os.Executable() }
