package queue_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// childMarker is the environment variable that makes the test binary run one of
// children, with the pipe ends that the test passes it, in place of the tests.
const childMarker = "MULTIPROC_QUEUE_TEST"

var children = map[string]func(context.Context) error{}

func TestMain(m *testing.M) {
	name, ok := os.LookupEnv(childMarker)
	if !ok {
		goleak.VerifyTestMain(m)
	}
	// Should the test die, this process must not stay.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := children[name](ctx); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}
