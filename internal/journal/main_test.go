package journal

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// children are what the test binary runs as when a test starts it again, by the
// value of childVariable.
var children = map[string]func(){}

const childVariable = "JOURNAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if what := os.Getenv(childVariable); what != "" {
		children[what]()
		os.Exit(0)
	}
	code := m.Run()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil {
		for _, fd := range fds {
			if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.Contains(to, "/runs") {
				fmt.Fprintln(os.Stderr, "leaked descriptor of", to)
				code = 1
			}
		}
	}
	os.Exit(code)
}
