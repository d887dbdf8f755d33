package process

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	"github.com/feac4032/multiproc/task"
)

// Runner is an object with work to do, which is encoded and runs in another
// process: its copy there is what Run sees and changes. A subclass of Process
// with run in Python.
type Runner interface {
	Run(ctx context.Context) error
}

// runners are the types given to DefineRunner.
var runners = struct {
	sync.RWMutex
	byType map[reflect.Type]func(Runner) *taskWork
}{byType: map[reflect.Type]func(Runner) *taskWork{}}

// DefineRunner registers a type of runners under a name, for NewRunner. It stands
// beside the type, and in a package variable, so that it has happened in every
// process of the program:
//
//	var _ = process.DefineRunner[*Resizer]("resizer")
//
// It returns the task that runs them, which a pool, too, can be given. It panics
// as task.Define does, and if the type was registered before.
func DefineRunner[R Runner](name string) task.Task[R, struct{}] {
	typ := reflect.TypeFor[R]()
	runners.Lock()
	defer runners.Unlock()
	if runners.byType[typ] != nil {
		panic(fmt.Sprintf("process.DefineRunner(%q): %v was defined before", name, typ))
	}
	t := task.Define(name, func(ctx context.Context, r R) (struct{}, error) { return struct{}{}, r.Run(ctx) })
	runners.byType[typ] = func(r Runner) *taskWork { return newTaskWork(t, r.(R)) }
	return t
}

// NewRunner makes a process that will call Run on a copy of r. r is encoded by
// Start; what Run changes in the copy does not come back. For a type that was not
// given to DefineRunner, Start returns ErrOption.
func NewRunner(r Runner, opts ...Option) *Process {
	runners.RLock()
	make := runners.byType[reflect.TypeOf(r)]
	runners.RUnlock()
	if make == nil {
		unknown := func(*options) error {
			return fmt.Errorf("%w: runner of type %T, which was not given to DefineRunner", ErrOption, r)
		}
		return newProcess(nil, append(opts[:len(opts):len(opts)], unknown))
	}
	return newProcess(make(r), opts)
}
