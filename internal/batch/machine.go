package batch

import "time"

// Machine says whether this machine is free enough for more to be started.
type Machine struct {
	maxLoad float64 // of the last minute; 0 = it does not matter
	minFree int64   // bytes of memory; 0 = it does not matter

	load   func() (float64, error)
	memory func() (int64, error)

	at   time.Time // it was looked at
	open bool
}

// NewMachine makes the condition of -load and -min-free-memory, nil without
// either. An error says that the system does not tell.
func NewMachine(maxLoad float64, minFree int64) (*Machine, error) {
	if maxLoad <= 0 && minFree <= 0 {
		return nil, nil
	}
	m := &Machine{maxLoad: maxLoad, minFree: minFree, load: loadAverage, memory: availableMemory}
	return m, m.look()
}

// machineLook is how often it is looked at.
const machineLook = 250 * time.Millisecond

// free reports whether another instance may start, or in which time to ask again.
func (m *Machine) free(now time.Time) (ok bool, retry time.Duration) {
	if now.Sub(m.at) >= machineLook {
		m.at = now
		if m.look() != nil {
			m.open = true // it did tell before; the run is not to hang on that
		}
	}
	return m.open, machineLook
}

func (m *Machine) look() error {
	m.open = true
	if m.maxLoad > 0 {
		load, err := m.load()
		if err != nil {
			return err
		}
		m.open = load < m.maxLoad
	}
	if m.minFree > 0 {
		free, err := m.memory()
		if err != nil {
			return err
		}
		m.open = m.open && free >= m.minFree
	}
	return nil
}
