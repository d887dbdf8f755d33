package worker

import (
	"testing"

	"github.com/feac4032/multiproc/ipc"
)

func testQueue() *jobQueue {
	return newJobQueue(func(j *job) *jobContext { return &jobContext{info: Job{ID: j.id}} })
}

func batchOf(q *jobQueue, ids ...uint64) *batch {
	b := q.fresh()
	for _, id := range ids {
		b.add(&ipc.Message{ID: id, Body: []byte{byte(id)}}, nil, "", true)
	}
	return b
}

func TestQueue_UsesABatchAgainOnlyWhenItIsDone(t *testing.T) {
	t.Parallel()
	q := testQueue()
	first := batchOf(q, 1, 2)
	q.add(first)
	one, _ := q.take(0, nil, nil)
	two, _ := q.take(0, one, nil)
	if q.fresh() == first || two.payload[0] != 2 {
		t.Fatal("a batch was used again while a job of it runs")
	}
	q.add(batchOf(q, 3))
	three, _ := q.take(0, two, nil)
	if three.id != 3 {
		t.Fatalf("took job %d, want 3", three.id)
	}
	if q.fresh() != first {
		t.Error("a batch that is done was not used again")
	}
}

func TestQueue_PassesOverWhatWasRecalled(t *testing.T) {
	t.Parallel()
	q := testQueue()
	q.add(batchOf(q, 1, 2))
	q.add(batchOf(q, 3, 4, 5))
	for _, id := range []uint64{1, 3, 5} {
		if j := q.cancel(id, false); j == nil || j.id != id {
			t.Errorf("cancel of %d found %v", id, j)
		}
	}
	if q.cancel(3, false) != nil {
		t.Error("a job was taken back twice")
	}
	j, c := q.take(0, nil, nil)
	if j.id != 2 || c.info.ID != 2 || q.cancel(2, true) != nil || c.Err() == nil {
		t.Errorf("took job %d, context %v", j.id, c.Err())
	}
	if j, _ = q.take(0, j, nil); j.id != 4 {
		t.Errorf("took job %d, want 4", j.id)
	}
	q.close()
	if j, _ := q.take(0, j, nil); j != nil || q.add(&batch{}) {
		t.Error("a closed queue gave or took a job")
	}
}

func TestQueue_AbandonReturnsWhatWaits(t *testing.T) {
	t.Parallel()
	q := testQueue()
	q.add(batchOf(q, 1, 2, 3, 4))
	j, c := q.take(0, nil, nil)
	q.cancel(3, false)
	left := q.abandon(ErrTerminated)
	if len(left) != 2 || left[0].id != 2 || left[1].id != 4 || !c.cancelled() {
		t.Errorf("%d jobs left, running one cancelled: %v", len(left), c.cancelled())
	}
	if j, _ := q.take(0, j, nil); j != nil {
		t.Errorf("took job %d of an abandoned queue", j.id)
	}
}
