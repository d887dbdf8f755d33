package psynctest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feac4032/multiproc/psync"
)

// Harness opens the objects of one backend for the parties of one behaviour. A nil
// function says that the backend has no such objects: the behaviours that need
// them are skipped, and say so.
//
// The first one to open an object of a name makes it; what the others open is the
// same object, as that party sees it. What has to be cleaned up is registered with
// the test.
type Harness struct {
	// Party starts a party, an owner of its own. Its context derives from ctx.
	Party func(ctx context.Context, name string) Party

	Lock             func(p Party, name string) psync.LockBackend
	RLock            func(p Party, name string) psync.LockBackend
	Semaphore        func(p Party, name string, n int) (psync.SemaphoreBackend, error)
	BoundedSemaphore func(p Party, name string, n int) (psync.SemaphoreBackend, error)

	// Condition opens a condition with a lock of its own, an RLock if recursive,
	// else a Lock.
	Condition func(p Party, name string, recursive bool) psync.ConditionBackend

	Event func(p Party, name string) psync.EventBackend

	// Barrier opens a barrier. One that cannot have an action, if it is not nil,
	// is errors.ErrUnsupported.
	Barrier func(p Party, name string, n int, action func() error) (psync.BarrierBackend, error)

	// Cells opens a Value, Number or Array of these encoded values.
	Cells func(p Party, name string, values [][]byte) psync.CellsBackend

	// Bubble says that all this may be called in a bubble of testing/synctest:
	// all that waits, waits in Go. Behaviours that need to know who waits, and
	// since when, are skipped without it.
	Bubble bool
}

// Party is one who holds and waits.
type Party struct {
	// Name is what others are told that it is called.
	Name string

	// Ctx carries the party's owner. It goes on after End.
	Ctx context.Context

	// End ends the party, whatever it holds and waits for: it returns (cause is
	// nil), fails, or is killed. It returns when the backend has taken back what
	// it had, which must be within a second.
	End func(cause error)
}

const (
	// wait bounds what should not take long at all.
	wait = 30 * time.Second

	// release is how long it may take until what an ended party held is free.
	release = time.Second

	// short is how long to wait for what does not come.
	short = 5 * time.Millisecond
)

type behaviour struct {
	name   string
	bubble bool // runs in a bubble
	check  func(*bench)
}

// behaviours are all that is asked of a backend.
var behaviours = []behaviour{
	{name: "LocksExclude", check: locksExclude},
	{name: "TryAcquireOfHeldIsErrWouldBlock", check: tryAcquireOfHeld},
	{name: "AcquireNeedsAnOwner", check: acquireNeedsOwner},
	{name: "EndedContextComesFirst", check: endedContext},
	{name: "CancelledAcquireChangesNothing", check: cancelledAcquire},
	{name: "CancelsThatRaceLoseNothing", check: cancelRace},
	{name: "ReleaseWorksThoughTheContextEnded", check: releaseAfterContext},
	{name: "HeldReleasesOnce", check: heldReleasesOnce},
	{name: "DoReleasesAlsoAtPanic", check: doReleases},
	{name: "ReleaseOfUnlockedIsAnError", check: releaseOfUnlocked},
	{name: "AnyoneMayReleaseALock", check: anyoneMayRelease},
	{name: "RLockIsCounted", check: rlockIsCounted},
	{name: "RLockIsReleasedByItsHolderOnly", check: rlockByHolderOnly},
	{name: "AcquirersAreServedInOrder", bubble: true, check: acquirersInOrder},
	{name: "AcquireWaitsForItsWholeTimeout", bubble: true, check: acquireTimeout},

	{name: "SemaphoreGivesOutItsPermits", check: permits},
	{name: "SemaphoreOfNegativePermitsIsAnError", check: negativePermits},
	{name: "SemaphoreReleaseAddsAPermit", check: releaseAdds},
	{name: "BoundedOverReleaseIsErrReleasedTooOften", check: overRelease},
	{name: "ReleaseSettlesTheOwnPermitFirst", check: ownPermitFirst},
	{name: "BoundedReleaseSettlesTheOldestPermit", check: oldestPermit},
	{name: "DetachedPermitsOutliveTheirTaker", check: detachedPermits},

	{name: "WaitReleasesTheLock", check: waitReleases},
	{name: "WaitAndNotifyNeedTheLock", check: conditionNeedsLock},
	{name: "TimedOutWaitHoldsTheLockAgain", check: timedOutWait},
	{name: "TimedOutWaitTakesTheLockWithoutDeadline", bubble: true, check: timedOutWaitOfHeld},
	{name: "WaitRestoresTheDepth", check: waitRestoresDepth},
	{name: "WaitForChecksOnceMoreAtItsEnd", check: waitFor},
	{name: "NotifyWakesAtMostNInOrder", bubble: true, check: notifyInOrder},
	{name: "NotifyIsNotRemembered", check: notifyNotRemembered},
	{name: "NotifyAllWakesAll", check: notifyAll},
	{name: "NotifiesThatRaceWithCancelsAreNotLost", check: notifyRace},

	{name: "EventWaitsUntilSet", check: eventWaits},
	{name: "EventSetWakesAllThoughClearedAtOnce", bubble: true, check: setThenClear},
	{name: "EventWaitWaitsForItsWholeTimeout", bubble: true, check: eventTimeout},

	{name: "BarrierGivesEveryIndexOnce", check: barrierIndexes},
	{name: "BarrierActionRunsOnceBeforeTheRelease", check: barrierAction},
	{name: "BarrierBreaksWhenItsActionFails", check: barrierActionFails},
	{name: "BarrierBreaksAtATimeout", check: barrierTimeout},
	{name: "BarrierAbortBreaksForAll", check: barrierAbort},
	{name: "BarrierResetStartsAnew", bubble: true, check: barrierReset},
	{name: "BarrierOfNoPartiesIsAnError", check: barrierOfNone},

	{name: "ValueLoadsWhatWasStored", check: valueStores},
	{name: "CompareAndSwapComparesValues", check: valueSwaps},
	{name: "ValueOfAnotherTypeIsAnError", check: valueOfAnotherType},
	{name: "UpdateIsAtomicUnderContention", check: updateAtomic},
	{name: "AddIsAtomicUnderContention", check: addAtomic},
	{name: "AddThatOverflowsChangesNothing", check: addOverflows},
	{name: "ArrayElementsAreSetOnTheirOwn", check: arrayElements},
	{name: "ArrayRefusesWhatItHasNot", check: arrayRange},
	{name: "ArraySnapshotIsOfOneMoment", check: arraySnapshot},

	{name: "HolderEndReleasesAndSaysSo", check: holderEnds},
	{name: "HolderEndHandsOverToWhoWaits", bubble: true, check: holderEndsBeforeWaiter},
	{name: "HolderEndWithoutWaitersIsToldToTheNext", check: holderEndsAlone},
	{name: "ReleasedLockIsNotAbandoned", check: releasedIsClean},
	{name: "EndedOwnerGetsNothing", check: endedOwner},
	{name: "WaiterEndIsRemoved", bubble: true, check: waiterEnds},
	{name: "WaiterEndPassesItsNotifyOn", bubble: true, check: waiterPassesNotify},
	{name: "WaiterEndKeepsANotifyThatWasGranted", bubble: true, check: waiterKeepsNotify},
	{name: "WaiterIsToldWhoAbandonedTheLock", bubble: true, check: waiterIsTold},
	{name: "SetAndNotifyAllReturnThoughAWaiterEnded", bubble: true, check: signalsAfterEnd},
	{name: "BarrierBreaksWhenAWaiterEnds", bubble: true, check: barrierWaiterEnds},
	{name: "EndsThatRaceLoseNothing", check: endRace},

	{name: "SecondAcquireOfALockIsADeadlock", check: deadlockAlone},
	{name: "DeadlockNamesItsCycle", check: deadlockOfTwo},
	{name: "DeadlockOfManyIsFound", check: deadlockOfMany},
	{name: "LockReleasedByAStrangerLeavesTheGraph", check: strangersLock},
}

// Behaviours returns the names of all behaviours, as Run names its subtests.
func Behaviours() []string {
	names := make([]string, len(behaviours))
	for i, b := range behaviours {
		names[i] = b.name
	}
	return names
}

// Run checks every behaviour of the backend that open gives, each with a harness
// of its own.
func Run(t *testing.T, open func(*testing.T) Harness) {
	bubbles := open(t).Bubble
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			switch {
			case !b.bubble:
				b.check(newBench(t, open(t)))
			case bubbles:
				synctest.Test(t, func(t *testing.T) { b.check(newBench(t, open(t))) })
			default:
				t.Skip("it needs to know who waits, and the backend cannot run in a bubble")
			}
		})
	}
}
