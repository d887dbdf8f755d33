// Package spawn starts operating-system processes, says how they ended, and
// leaves nothing behind.
//
// The one idea: processes are not started by the program itself but by its
// guardian, a slim child of it that executes the same program, and is the
// parent of every process and, as a child subreaper, of every orphan among
// their descendants. Neither setsid nor a double fork gets a process out of its
// reach. When the program dies, however that happens, the guardian kills all
// its descendants until none is left. When the guardian dies, the program does,
// ends the processes that were running as lost, and goes on with a new one.
//
//	func main() {
//		if boot.Role == boot.Guard {
//			spawn.GuardMain()
//		}
//		g, err := spawn.Open(spawn.Options{})
//		if err != nil {
//			log.Fatal(err)
//		}
//		defer g.Close()
//		p, err := g.Start(&spawn.Spec{Path: "/bin/sleep", Argv: []string{"sleep", "60"}})
//		if err != nil {
//			log.Fatal(err)
//		}
//		p.Stop(5 * time.Second)
//		<-p.Done()
//		fmt.Println(p.Status().Signal)
//	}
//
// Processes have their own session, default signal dispositions, an empty
// signal mask, and no descriptors but those they were given. What a process
// leaves in the background is killed as soon as it has ended itself.
//
// Whose orphan a process is, is told by its session, else by TreeMarker in its
// environment. A process that left its session, replaced its environment and
// was orphaned is killed when the last process that could have started it
// ends; one with limits has a control group, where these can be made, and cannot hide.
// If guardian and program are killed at the same instant, processes
// started by Start die, but not all that they had started: with Options.Records
// the next program of this user that opens a guardian there finds them by
// TreeMarker, and by their control group if they have one.
//
// # Limits
//
// Spec.Limits are those of a whole tree. They hold by control groups of either version,
// by rlimits and by a watchdog in the guardian, whatever there is: see Guardian.Survey.
// Who exceeds one is killed with its tree, and Status.Breach tells. Status.Usage tells
// what a tree with limits has used; Process.Mark and Measure do for a process that does
// one thing after the other.
//
// # Other systems
//
// Off Linux there is no guardian. On other Unix systems processes are started
// directly, in process groups of their own, and only these groups are killed,
// not descendants that leave them. On Windows only the process itself is. If
// the program dies, its processes live on until they see the end of their
// input. GuardMain is never needed there.
package spawn
