package pool

import (
	"bytes"
	"os"
	"strconv"
)

// canMeasure says whether the memory of a worker can be measured here.
const canMeasure = true

// meter reads how much memory of a process is resident.
type meter struct {
	f   *os.File // its statm: of this very process, whatever becomes of its id
	buf [128]byte
}

func newMeter(pid int) (*meter, error) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return nil, err
	}
	return &meter{f: f}, nil
}

// read returns bytes; 0 when the process has ended.
func (m *meter) read() int64 {
	n, _ := m.f.ReadAt(m.buf[:], 0)
	fields := bytes.Fields(m.buf[:n])
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

func (m *meter) close() {
	if m != nil {
		m.f.Close()
	}
}
