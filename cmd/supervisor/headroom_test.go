package main

import (
	"fmt"
	"testing"
)

func TestGrowth_IsBoundedByTheHeadroom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, maxGrowth},
		{1 << 20, maxGrowth},
		{10 << 20, 200},
		{20 << 20, 100},
		{40 << 20, minGrowth},
		{1 << 40, minGrowth},
	} {
		t.Run(fmt.Sprint(c.live), func(t *testing.T) {
			t.Parallel()
			if got := growth(c.live); got != c.want {
				t.Errorf("the heap grows by %d %%, want %d", got, c.want)
			}
		})
	}
}
