// Package death reads the last words of a process: what it wrote to stderr before
// it ended, and what that says of the reason.
//
// The one idea: the kernel tells of a signal or an exit code, and the program
// itself, in its own words, of the rest. Go and Python say what happened and
// where; a program that runs into a limit for which nobody kills it, such as that
// of open files, repeats the system's error. All of it is text that anybody can
// write, so it refines what is known otherwise and never stands against it.
//
//	w := death.Read(stderr)
//	fmt.Println(w.Kind, w) // "fatal", "fatal error: stack overflow, in main.walk (walk.go:12)"
package death
