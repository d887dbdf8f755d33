package process_test

import (
	"context"
	"errors"
	"testing"

	"github.com/feac4032/multiproc/process"
)

func TestLimits_ThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]process.Option{
		"negative": process.WithLimits(process.Limits{Memory: -1}),
		"level":    process.WithIsolation(process.Sandbox + 1),
		"best":     process.WithBestIsolation(9),
	} {
		if err := process.Command([]string{"true"}, o).Start(context.Background()); !errors.Is(err, process.ErrOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
