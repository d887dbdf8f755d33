package process

import (
	"sync"

	"github.com/feac4032/multiproc/internal/spawn"
)

// shared is the guardian of all processes of this program. It lives as long as
// the program does, as the parent of whatever may still be started.
var shared struct {
	sync.Mutex
	g *spawn.Guardian // nil before the first start
}

// guardian returns the shared guardian, and starts it if there is none. Other
// packages may have processes of their own beside it, so that it is not an
// exclusive one. No record of it is kept: a library leaves no files in folders that
// nobody has named to it.
func guardian() (*spawn.Guardian, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.g == nil {
		g, err := spawn.Open(spawn.Options{})
		if err != nil {
			return nil, err
		}
		shared.g = g
	}
	return shared.g, nil
}

// closeGuardian ends the shared guardian, and all that it may still have; the
// next Start would start another.
func closeGuardian() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.g == nil {
		return nil
	}
	defer func() { shared.g = nil }()
	return shared.g.Close()
}
