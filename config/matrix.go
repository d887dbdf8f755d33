package config

// Matrix is the set of combinations of a `matrix`: the product of its axes in
// the order written, the first the slowest, without those an `exclude` entry
// matches in all the axes it names, followed by the `include` entries, each of
// which names every axis.
type Matrix struct {
	axes    []Axis
	product int
	kept    []int32 // indexes into the product that remain; nil: all
	extra   [][]Value
}

// Axis is one named list of a matrix.
type Axis struct {
	Name   string
	Values []Value
}

// Axes gives the axes in the order written. The caller must not change them.
func (m *Matrix) Axes() []Axis { return m.axes }

// Len is the number of combinations, never 0.
func (m *Matrix) Len() int {
	if m.kept != nil {
		return len(m.kept) + len(m.extra)
	}
	return m.product + len(m.extra)
}

// At gives combination i, 0 <= i < Len, its fields in the order of the axes.
func (m *Matrix) At(i int) []Field {
	out := make([]Field, len(m.axes))
	inProduct := m.Len() - len(m.extra)
	if i >= inProduct {
		for a, v := range m.extra[i-inProduct] {
			out[a] = Field{Name: m.axes[a].Name, Value: v}
		}
		return out
	}
	if m.kept != nil {
		i = int(m.kept[i])
	}
	for a := len(m.axes) - 1; a >= 0; a-- {
		n := len(m.axes[a].Values)
		out[a] = Field{Name: m.axes[a].Name, Value: m.axes[a].Values[i%n]}
		i /= n
	}
	return out
}
