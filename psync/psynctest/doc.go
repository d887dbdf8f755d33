// Package psynctest is the list of what every backend of package psync must do,
// each behaviour by its name, as tests that any backend can run:
//
//	func TestBackend(t *testing.T) {
//		psynctest.Run(t, func(t *testing.T) psynctest.Harness {
//			s := startServer(t)
//			return psynctest.Harness{
//				Party: func(ctx context.Context, name string) psynctest.Party { … },
//				Lock:  func(p psynctest.Party, name string) psync.LockBackend { … },
//				…
//			}
//		})
//	}
//
// The parties of a behaviour, which hold and wait and end, are the harness's: they
// may be goroutines, connections or processes. The bodies run in the test.
package psynctest
