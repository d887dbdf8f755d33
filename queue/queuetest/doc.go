// Package queuetest is the list of what every backend of package queue must do,
// each behaviour by its name, as tests that any backend can run:
//
//	func TestMemory(t *testing.T) {
//		queuetest.Run(t, func(t *testing.T) queuetest.Harness {
//			return queuetest.Harness{
//				Open: func(size int) (put, get queue.Backend) {
//					m := queue.NewMemory(size)
//					return m, m
//				},
//				Exact: true,
//				Bubble: true,
//			}
//		})
//	}
package queuetest
