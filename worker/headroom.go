package worker

import "os"

// headroom is half of how much more, in bytes, a worker that takes long arguments
// lets its heap hold before it is collected. The heap of most workers is so small
// that arguments of a MiB would have it collected at every fourth of them, which
// takes longer than to carry one.
const headroom = 12 << 20

// spread makes the collector wait for more garbage, once, unless the environment
// says when it is to run. The memory that it is made to count is never touched, and
// so takes none.
func (s *server) spread() {
	if s.headroom == nil && os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		s.headroom = make([]byte, headroom)
	}
}
