package manager

import "github.com/feac4032/multiproc/internal/broker"

// Errors of package manager.
var (
	// ErrNotFound is the error of opening an object that there is not. It names the
	// nearest name, and what there is.
	ErrNotFound = broker.ErrNotFound

	// ErrMismatch is the error of opening an object as another kind, with another
	// type or another size than it has.
	ErrMismatch = broker.ErrMismatch

	// ErrExists is the error of making an object whose name is taken.
	ErrExists = broker.ErrExists

	// ErrRemoved is the error of all operations on an object that was removed, or
	// whose manager was closed, those that were waiting included.
	ErrRemoved = broker.ErrRemoved

	// ErrNotShared is the error of sending an object to another process that is
	// not one of a manager.
	ErrNotShared = broker.ErrNotShared

	// ErrNoManager is the error of using a manager's object where there is no way
	// to it: the context is not that of a job, and this process is no worker; or
	// what has started the worker was not given a manager, or another one.
	ErrNoManager = broker.ErrNoManager

	// ErrLost is the error of calls whose link to the supervisor has ended.
	ErrLost = broker.ErrLost
)
