// Package queuetest is the list of what every backend of package queue must do,
// each behaviour by its name, as tests that any backend can run: queues and simple
// queues, joinable ones with their leases and owners, and pipes.
//
//	func TestMemory(t *testing.T) {
//		queuetest.Run(t, func(t *testing.T) queuetest.Harness {
//			return queuetest.Harness{
//				Open: func(size int) (put, get queue.Backend) {
//					m := queue.NewMemory(size)
//					return m, m
//				},
//				OpenPipe: func() (a, b queue.Backend) { return queue.NewMemoryPipe() },
//				Exact:    true,
//				Bubble:   true,
//			}
//		})
//	}
//
// [Check] runs one behaviour without package testing, so that a worker process can
// check a backend from its side of the link.
package queuetest
