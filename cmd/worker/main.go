// Command worker runs the stock tasks for a supervisor, which starts it; it also
// is the guardian that the supervisor's processes are children of. By hand it
// says what it is, and exits with code 2.
//
// A worker program with tasks of one's own looks the same:
//
//	func main() { worker.Main() }
package main

import (
	"os"

	"github.com/feac4032/multiproc/internal/spawn"
	_ "github.com/feac4032/multiproc/internal/stock"
	"github.com/feac4032/multiproc/worker"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "guard" {
		spawn.GuardMain()
	}
	worker.Main()
}
