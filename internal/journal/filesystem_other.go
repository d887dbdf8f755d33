//go:build !linux && !darwin && !freebsd && !dragonfly

package journal

import (
	"os"
	"strings"
)

// network tells a folder that is named by its machine, which is all that can be
// told here.
func network(root *os.Root) (string, error) {
	if strings.HasPrefix(root.Name(), `\\`) {
		return "unc", nil
	}
	return "", nil
}
