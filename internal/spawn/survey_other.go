//go:build !linux

package spawn

// Survey finds that nothing can be limited on this system.
func (g *Guardian) Survey() (*Survey, error) {
	s := &Survey{}
	for _, r := range []string{Memory, CPU, PIDs, Files, FileSize} {
		s.Limits = append(s.Limits, LimitSurvey{Resource: r, Why: "limits need Linux"})
	}
	return s, nil
}
