// Command supervisor runs the jobs of a file on isolated worker processes:
//
//	supervisor run -workers 4 job.yaml
//	supervisor validate job.yaml
//	supervisor experiment
//
// Exit codes of run: 0 all ok, 1 some instance was not ok, 2 usage or bad file,
// 3 halted by policy, deadline or restart limit, 5 internal or output lost,
// 128+n ended by signal n. Of several that apply the first of 128+n, 5, 2, 3, 1
// is given.
package main
