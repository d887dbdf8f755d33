// Package jail is the stub that stands between the fork and the exec of a process
// that is kept apart from others: it does what the kernel lets a process do only to
// itself.
//
// The one idea: a guardian does not start such a program, but its own program once
// more, as a stub (boot.Jail), inside the new namespaces and with the program's
// descriptors. Over a socket the stub is told what to do, and tells what came of it.
// Without a pid namespace it then becomes the program, and the end of the socket
// says so. With one it stays as process 1: it starts the program, reaps orphans,
// hands signals on, and reports how the program ended, because a process in a pid
// namespace of its own cannot be told from its first one otherwise: signals that it
// sends itself do not kill process 1.
//
// When the program has ended the stub does, and with process 1 the kernel ends
// everything else in its namespace. The same happens if the guardian dies, or kills
// the stub.
//
// What a program sees at the level of namespaces:
//
//   - every file system read-only, without set-user-id programs and devices, but for
//     its working directory
//   - an empty /tmp and /dev/shm of its own, and an empty /run, where the sockets of
//     the machine's daemons are otherwise: those could be connected to in spite of the
//     network namespace. What it needs below one of them, the program and the working
//     directory, is there
//   - /dev/null, zero, full, random, urandom, tty, and pseudo-terminals of its own; no
//     other device can be opened: to a root without capabilities a disk is one more
//     file that it owns
//   - /proc with only its own processes, read-only, since root owns /proc/sys
//   - a network with nothing but a loopback interface
//   - no capability, and no way to get one: nor may it make a user namespace, unless
//     /proc/sys is read-only for the guardian too, as it is in many containers
//
// The sandbox adds no_new_privs, Landlock, a seccomp filter and, where the guardian is
// root, a user id that owns nothing: the working directory is then attached by an
// idmapped mount, in which its owner is that user.
//
// All that is for Linux; elsewhere the package is empty.
package jail
