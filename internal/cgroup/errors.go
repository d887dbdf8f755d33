package cgroup

import "errors"

// ErrNone is returned by Open when no hierarchy is mounted in which this process may
// make groups. It comes wrapped, with what was tried.
var ErrNone = errors.New("no control groups can be made here")
