package remote

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
)

// operation is one that a worker may ask for. serve reads the arguments, and
// must do nothing if that has failed.
type operation struct {
	as    form
	serve func(s *Session, c *call)
}

// form is how an operation may be sent. What waits, or hands something out, is a
// call only: as a post nobody would know of it, and nothing would bound it.
type form int

const (
	asCall form = iota
	asPost
	asEither
)

var operations map[string]operation

func init() {
	type server = func(*Session, *call)
	call := func(f server) operation { return operation{asCall, f} }
	post := func(f server) operation { return operation{asPost, f} }
	either := func(f server) operation { return operation{asEither, f} }
	operations = map[string]operation{
		opOpen:     call((*Session).openObject),
		opCancel:   post((*Session).cancel),
		opOwner:    post((*Session).nameOwner),
		opOwnerEnd: post((*Session).endNamed),

		opLockAcquire:      call((*Session).lockAcquire),
		opLockRelease:      either((*Session).lockRelease),
		opSemaphoreAcquire: call((*Session).semaphoreAcquire),
		opSemaphoreRelease: either((*Session).semaphoreRelease),
		opSemaphoreValue:   call((*Session).semaphoreValue),
		opConditionWait:    call((*Session).conditionWait),
		opConditionNotify:  either((*Session).conditionNotify),
		opEventSet:         either((*Session).eventSet),
		opEventClear:       either((*Session).eventClear),
		opEventIsSet:       call((*Session).eventIsSet),
		opEventWait:        call((*Session).eventWait),
		opBarrierWait:      call((*Session).barrierWait),
		opBarrierAbort:     either((*Session).barrierAbort),
		opBarrierReset:     either((*Session).barrierReset),
		opBarrierState:     call((*Session).barrierState),
		opCellsLoad:        call((*Session).cellsLoad),
		opCellsStore:       either((*Session).cellsStore),
		opCellsCompare:     call((*Session).cellsCompare),
		opCellsSwap:        call((*Session).cellsSwap),
		opCellsAdd:         call((*Session).cellsAdd),
		opCellsSnapshot:    call((*Session).cellsSnapshot),

		opQueuePut:      either((*Session).queuePut),
		opQueueGet:      call((*Session).queueGet),
		opQueueLease:    call((*Session).queueLease),
		opQueueDone:     either((*Session).queueDone),
		opQueueReturn:   either((*Session).queueReturn),
		opQueueTaskDone: either((*Session).queueTaskDone),
		opQueueJoin:     call((*Session).queueJoin),
		opQueueState:    call((*Session).queueState),
		opQueueClose:    either((*Session).queueClose),
		opQueueShutdown: either((*Session).queueShutdown),
		opPipeHold:      post((*Session).pipeHold),
		opPipePut:       either((*Session).pipePut),
		opPipeGet:       call((*Session).pipeGet),
		opPipeClose:     either((*Session).pipeClose),
	}
}

// target finds the object of a call, which comes first in its arguments. The
// caller has read the others; without them, or without an object, it returns nil,
// and the call was answered.
func target[T any](s *Session, c *call, who uint64) (obj T, ok bool) {
	if !c.done() {
		c.fail()
		return obj, false
	}
	found, err := s.object(c.object)
	if err != nil {
		s.refuse(c, who, err)
		return obj, false
	}
	if obj, ok = found.(T); !ok {
		s.refuse(c, who, fmt.Errorf("%w: the object is no %s", broker.ErrMismatch, reflect.TypeFor[T]().Elem().Name()))
	}
	return obj, ok
}

// object finds what a number names.
func (s *Session) object(id uint64) (any, error) {
	if s.table == nil {
		return nil, errNoTable
	}
	if s.home != 0 && s.home != homeOf(id) {
		return nil, errOtherTable
	}
	obj, ok := s.table.Object(id)
	if !ok {
		return nil, broker.ErrRemoved
	}
	return obj, nil
}

// targetOf is target for an operation on behalf of an owner.
func targetOf[T any](s *Session, c *call, who uint64) (obj T, o *owner.Owner, ok bool) {
	if obj, ok = target[T](s, c, who); !ok {
		return obj, nil, false
	}
	o, err := s.owner(who)
	if err != nil {
		s.refuse(c, who, err)
		return obj, nil, false
	}
	return obj, o, true
}

// head reads the beginning of most arguments: an object, and on whose behalf.
func (c *call) head(n int) (who uint64) {
	c.arrayOf(n)
	c.object = c.uint()
	return c.uint()
}

func (s *Session) openObject(c *call) {
	c.arrayOf(7)
	r := &OpenRequest{
		Kind: c.text(64), Name: c.text(maxName), Type: c.text(maxName),
		Size: int64(c.int()), Sized: c.bool(), PeerKind: c.text(64),
	}
	n := c.array()
	if n > MaxCells {
		c.fail()
	}
	for ; n > 0 && !c.bad; n-- {
		r.Values = append(r.Values, bytes.Clone(c.bin()))
	}
	if !c.done() {
		c.fail()
		return
	}
	if s.table == nil {
		s.refuse(c, 0, errNoTable)
		return
	}
	ref, err := s.table.Open(r)
	if err != nil {
		s.refuse(c, 0, err)
		return
	}
	s.answer(c, ref.append(nil))
}

// cancel withdraws a call, which is answered by itself: now, or it was before.
func (s *Session) cancel(c *call) {
	c.arrayOf(1)
	id := c.uint()
	if !c.done() {
		c.fail()
		return
	}
	s.mu.Lock()
	r := s.open[id]
	s.mu.Unlock()
	if r != nil {
		r.Cancel(errCancelled)
	}
}

func (s *Session) nameOwner(c *call) {
	c.arrayOf(2)
	wire := c.uint()
	name := c.text(maxName)
	if !c.done() || wire&1 == 0 {
		c.fail()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owners[wire] != nil || s.named >= maxOwners {
		c.fail()
		return
	}
	s.named++
	s.owners[wire] = owner.New(owner.Identity{Name: name, PID: s.who.PID})
}

func (s *Session) endNamed(c *call) {
	c.arrayOf(2)
	wire := c.uint()
	cause := c.cause()
	if !c.done() || wire&1 == 0 {
		c.fail()
		return
	}
	s.ownerEnded(wire, cause)
}

// Grants.

func granted(*request) []byte { return done }

func grantedAbandoned(r *request) []byte { return abandonedPayload(r.Abandoned) }

func abandonedPayload(a *owner.Abandoned) []byte {
	if a == nil {
		return done
	}
	return appendAbandoned(nil, a)
}

func number(n int) []byte { return appendInt(nil, int64(n)) }
func flag(v bool) []byte  { return appendBool(nil, v) }
