// Package remote carries the requests that a worker makes for shared objects to
// the supervisor, which has them all, and the answers back: the operations of
// ipc/PROTOCOL.md, on both sides.
//
// A [Session] serves one link of the supervisor. It hands requests to the state
// machines of package broker, none of which blocks, so that one goroutine, the
// one that reads the link, serves every call, and a call that has to wait is a
// ticket in an object's line. Every byte that a Session is given is hostile.
//
// A [Client] is a worker's end. The proxies, such as [Lock] and [Queue], are what
// packages psync and queue have below them: a proxy goes through the client to
// wherever its object is, or straight to the object when that is in this process.
package remote
