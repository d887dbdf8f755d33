// Package queue carries values between goroutines and processes, as Python's
// multiprocessing.Queue does: first in, first out, bounded, by value.
//
// The one idea: a [Queue] encodes and decodes, a [Backend] moves bytes. What was
// put is a snapshot, whether it crosses a process or not, so that code behaves
// the same with goroutines and with processes; and whatever moves messages can
// carry a queue: the memory of a process ([New]), a pair of pipes ([OverPipes]),
// a worker's stdin and stdout (an ipc.Link is a Backend).
//
//	q := queue.New[Photo](100)
//	go func() {
//		defer q.Close()
//		for _, p := range photos {
//			if err := q.Put(ctx, p); err != nil { // blocks while 100 are queued
//				return
//			}
//		}
//	}()
//	for p, err := range q.All(ctx) { // until closed and drained
//		…
//	}
//
// A [Joinable] queue hands items out as leases: what a getter had open when it
// ended goes back to the head, for others, and Join waits until all is done. A
// [Simple] queue has Put, Get, Empty and Close. [Pipe] is two ends that talk to each
// other.
//
// A queue of a manager can be sent to another process, in a job's argument or in
// an item: a reference travels, and the queue stays where it is. A zero value is of
// no use: all its methods return errors.
//
// Package queuetest lists what every backend must do, by name, and checks it.
//
// # Over pipes
//
// An item, one msgpack value, travels as one or more frames: a four-byte
// big-endian length, from 1 to 1 MiB, and so many bytes. The first of them is a
// mark: 1 if the item goes on in the next frame, 0 if it ends with this one. The
// rest are the item's. Frames of two items never mix. A sender cuts at 64 KiB; a
// receiver keeps what has arrived of one item, up to 64 MiB ([MaxItem]), and
// allocates nothing for what a length only promises. An end of the stream between
// two items closes the queue. One inside an item, and bytes that break these
// rules, are ErrLost, and nothing behind them is read.
//
// Puts that happen at the same time share one write, and a read serves all
// getters that wait: there is no goroutine in between, and a Put that returned
// has its bytes in the pipe, whatever becomes of this process then.
package queue
