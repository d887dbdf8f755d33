package psynctest_test

import (
	"context"
	"slices"
	"testing"

	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/psync/psynctest"
)

func TestBehaviours_HaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	names := psynctest.Behaviours()
	slices.Sort(names)
	if n := len(slices.Compact(slices.Clone(names))); n != len(names) || n == 0 {
		t.Errorf("%d names for %d behaviours", n, len(names))
	}
}

// A backend that has nothing fails nothing: every behaviour is skipped.
func TestRun_SkipsWhatTheBackendHasNot(t *testing.T) {
	psynctest.Run(t, func(t *testing.T) psynctest.Harness {
		t.Cleanup(func() {
			if !t.Skipped() && t.Name() != "TestRun_SkipsWhatTheBackendHasNot" {
				t.Error("it was not skipped")
			}
		})
		return psynctest.Harness{
			Party: func(ctx context.Context, name string) psynctest.Party {
				ctx, end := psync.WithOwner(ctx, psync.Named(name))
				return psynctest.Party{Name: name, Ctx: ctx, End: func(error) { end() }}
			},
			Bubble: true,
		}
	})
}
