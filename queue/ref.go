package queue

import (
	"fmt"
	"reflect"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/feac4032/multiproc/internal/remote"
)

// shared is a backend whose object other processes can reach.
type shared interface{ Ref() remote.Ref }

func (q *Queue[T]) encodeRef(enc *msgpack.Encoder) error {
	if q.b == nil {
		return q.lacks("encode")
	}
	b, ok := q.b.(shared)
	if !ok {
		kind := q.kind
		if q.name != "" {
			kind += " " + q.name
		}
		return fmt.Errorf("%s: %w", kind, ErrNotShared)
	}
	return b.Ref().Encode(enc)
}

// decodeRef makes q the object of the reference that comes next.
func (q *Queue[T]) decodeRef(dec *msgpack.Decoder, kind string) error {
	ref, err := remote.DecodeRef(dec, kind)
	if err != nil {
		return err
	}
	if err := ref.CheckType(reflect.TypeFor[T]().String()); err != nil {
		return err
	}
	*q = Queue[T]{kind: kind, name: ref.Name}
	if kind == remote.KindPipe {
		end := remote.NewPipeEnd(ref)
		end.Hold()
		q.b = end
	} else {
		q.b = remote.NewQueue(ref)
	}
	return nil
}

// EncodeMsgpack implements [msgpack.CustomEncoder]: a reference travels. A queue
// that is not one of a manager is ErrNotShared.
func (q *Queue[T]) EncodeMsgpack(enc *msgpack.Encoder) error { return q.encodeRef(enc) }

// DecodeMsgpack implements [msgpack.CustomDecoder]. A reference to something else
// than a queue of T is ErrMismatch.
func (q *Queue[T]) DecodeMsgpack(dec *msgpack.Decoder) error {
	return q.decodeRef(dec, remote.KindQueue)
}

// EncodeMsgpack implements [msgpack.CustomEncoder] as [Queue.EncodeMsgpack].
func (q *Joinable[T]) EncodeMsgpack(enc *msgpack.Encoder) error { return q.q.encodeRef(enc) }

// DecodeMsgpack implements [msgpack.CustomDecoder] as [Queue.DecodeMsgpack].
func (q *Joinable[T]) DecodeMsgpack(dec *msgpack.Decoder) error {
	return q.q.decodeRef(dec, remote.KindJoinable)
}

// EncodeMsgpack implements [msgpack.CustomEncoder] as [Queue.EncodeMsgpack].
func (q *Simple[T]) EncodeMsgpack(enc *msgpack.Encoder) error { return q.q.encodeRef(enc) }

// DecodeMsgpack implements [msgpack.CustomDecoder] as [Queue.DecodeMsgpack].
func (q *Simple[T]) DecodeMsgpack(dec *msgpack.Decoder) error {
	return q.q.decodeRef(dec, remote.KindSimple)
}

// EncodeMsgpack implements [msgpack.CustomEncoder] as [Queue.EncodeMsgpack].
func (e *End[T]) EncodeMsgpack(enc *msgpack.Encoder) error { return e.q.encodeRef(enc) }

// DecodeMsgpack implements [msgpack.CustomDecoder] as [Queue.DecodeMsgpack].
func (e *End[T]) DecodeMsgpack(dec *msgpack.Decoder) error {
	return e.q.decodeRef(dec, remote.KindPipe)
}
