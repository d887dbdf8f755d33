package batch

import (
	"slices"

	"github.com/feac4032/multiproc/config"
)

// stock is the units of a resource. Its fields are guarded by run.mu.
type stock struct {
	env  string // USES_<NAME>
	of   *config.Resource
	free []int // units, the lowest last
}

func newStock(r *config.Resource) *stock {
	s := &stock{env: config.EnvName("USES", r.Name), of: r}
	for i := range r.Count {
		s.free = append(s.free, r.Count-1-i)
	}
	return s
}

// hold is units that an attempt has.
type hold struct {
	of    *stock
	units []int
}

// take takes n units, the lowest ones.
func (s *stock) take(n int) hold {
	at := len(s.free) - n
	units := slices.Clone(s.free[at:])
	s.free = s.free[:at]
	slices.Sort(units)
	return hold{of: s, units: units}
}

// takeSame takes the units again that h has named; false = one of them is taken.
func (h hold) takeSame() bool {
	for _, u := range h.units {
		if !slices.Contains(h.of.free, u) {
			return false
		}
	}
	h.of.free = slices.DeleteFunc(h.of.free, func(u int) bool { return slices.Contains(h.units, u) })
	return true
}

func (h hold) giveBack() {
	h.of.free = append(h.of.free, h.units...)
	slices.SortFunc(h.of.free, func(a, b int) int { return b - a })
}
