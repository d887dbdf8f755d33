package worker

import "github.com/feac4032/multiproc/internal/spawn"

// guard is the life of a guardian.
func guard() { spawn.GuardMain() }
