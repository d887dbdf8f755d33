// Package cgroup makes control groups, which hold processes together and limit
// what they use as one.
//
// The one idea: a group is the same thing whatever the machine offers. Linux has
// two versions, and often both at once, each with a part of the controllers. A
// Tree is a folder in each hierarchy that is of use, a Group one more below it in
// each; what a group cannot do here, By and Why tell, and the caller does by other
// means.
//
//	tree, err := cgroup.Open("0123456789abcdef", cgroup.Config{})
//	group, err := tree.New("1", cgroup.Limits{Memory: 128 << 20})
//	// start a process in group.Dir(), or let it write 0 to each of group.Joins()
//	usage := group.Usage()
//	err = group.Kill()
//	err = group.Remove(time.Second)
//
// Folders are named multiproc-NAME, NAME being 32 hexadecimal digits. They lie below
// the group of this process, so that what limits this process limits its groups; see
// Open for when they do not.
// A tree is locked as long as its owner lives. Open removes those of owners that
// are dead, with what still runs in them.
//
// Nothing of this exists off Linux.
package cgroup
