package remote

import "github.com/feac4032/multiproc/ipc"

// The operations of ipc/PROTOCOL.md. Those marked so are only ever posts.
const (
	opOpen     = "open"
	opCancel   = "cancel"    // post
	opOwner    = "owner"     // post
	opOwnerEnd = "owner.end" // post

	opLockAcquire = "lock.acquire"
	opLockRelease = "lock.release"

	opSemaphoreAcquire = "semaphore.acquire"
	opSemaphoreRelease = "semaphore.release"
	opSemaphoreValue   = "semaphore.value"

	opConditionWait   = "condition.wait"
	opConditionNotify = "condition.notify"

	opEventSet   = "event.set"
	opEventClear = "event.clear"
	opEventIsSet = "event.isset"
	opEventWait  = "event.wait"

	opBarrierWait  = "barrier.wait"
	opBarrierAbort = "barrier.abort"
	opBarrierReset = "barrier.reset"
	opBarrierState = "barrier.state"

	opCellsLoad     = "cells.load"
	opCellsStore    = "cells.store"
	opCellsCompare  = "cells.compare"
	opCellsSwap     = "cells.swap"
	opCellsAdd      = "cells.add"
	opCellsSnapshot = "cells.snapshot"

	opQueuePut      = "queue.put"
	opQueueGet      = "queue.get"
	opQueueLease    = "queue.lease"
	opQueueDone     = "queue.done"
	opQueueReturn   = "queue.return"
	opQueueTaskDone = "queue.taskdone"
	opQueueJoin     = "queue.join"
	opQueueState    = "queue.state"
	opQueueClose    = "queue.close"
	opQueueShutdown = "queue.shutdown"

	opPipeHold  = "pipe.hold" // post
	opPipePut   = "pipe.put"
	opPipeGet   = "pipe.get"
	opPipeClose = "pipe.close"
)

// What both sides hold to.
const (
	// MaxOpen is how many calls of a link may be unanswered.
	MaxOpen = 1 << 16

	// maxPending bounds the payloads of a link's unanswered calls, those of at
	// most smallCall bytes not counted.
	maxPending = 256 << 20
	smallCall  = 1 << 10

	// maxPosted bounds the items that wait for room and that no owner waits for,
	// each counted with itemCost bytes on top. Who keeps to the windows has that
	// many only if a hundred queues are full of memory.
	maxPosted = 64 << 20
	itemCost  = 128

	// putWindow is how many bytes a producer posts to an unbounded queue before
	// one put is a call, whose answer confirms all before it; maxWindows is how
	// many of these may be unanswered.
	putWindow  = 256 << 10
	maxWindows = 2

	// maxReply bounds the payload of an answer: that to a get which asks for many
	// may have getBatchBytes, and then an item as large as a message.
	maxReply = ipc.MaxMessage + 2*ipc.MaxInline

	// MaxCells bounds the values of an object that is made by being opened.
	MaxCells = 1 << 20

	// maxOwners bounds the owners, other than jobs, that a link names at a time.
	maxOwners = 1 << 16

	// getBatch bounds the items, and their bytes, of one answer to a get that
	// asks for many.
	getBatch      = 1024
	getBatchBytes = 64 << 10
)
