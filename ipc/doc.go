// Package ipc is the wire between a supervisor and its workers: frames over a
// pair of pipes, the envelope inside a frame, the handshake that opens a link,
// and the page of memory that both sides share so that a death loses nothing.
//
// A frame is a four-byte big-endian length and one msgpack array
// [kind, id, …]. Payloads are msgpack inside a bin, and stay raw here.
// PROTOCOL.md, beside this file, is the authority; a worker in any language can
// be written from it, and testdata/protocol holds its golden vectors.
//
// The one idea: every byte that comes from the other side is hostile. A length
// never allocates, a nesting never recurses, an element that is promised must
// fit in the bytes that are left, and the first violation ends the link. There
// is no attempt to find the next frame after a bad one.
//
//	link := ipc.NewLink(fromWorker, toWorker)
//	link.PutBatch(ctx, [][]byte{ipc.AppendPing(nil, 1)})
//	msgs := make([][]byte, 64)
//	n, err := link.GetBatch(ctx, msgs) // at least one, all that are buffered
package ipc
