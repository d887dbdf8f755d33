package psync

import (
	"fmt"
	"reflect"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/feac4032/multiproc/internal/remote"
)

// shared is a backend that other processes can reach. What travels is a reference
// to it: whoever receives the object has the same one, not a copy.
type shared interface{ Ref() remote.Ref }

func (l *label) encode(enc *msgpack.Encoder, backend any) error {
	if err := l.made("encode"); err != nil {
		return err
	}
	b, ok := backend.(shared)
	if !ok {
		return l.failed("encode", ErrNotShared)
	}
	return b.Ref().Encode(enc)
}

// receive reads a reference to an object of one kind.
func receive(dec *msgpack.Decoder, kind string) (remote.Ref, label, error) {
	ref, err := remote.DecodeRef(dec, kind)
	if err != nil {
		return ref, label{}, fmt.Errorf("psync: %s: decode: %w", kind, err)
	}
	return ref, label{kind, ref.Name}, nil
}

// EncodeMsgpack writes a reference to the lock. One that is not shared is
// ErrNotShared.
func (l *Lock) EncodeMsgpack(enc *msgpack.Encoder) error { return l.encode(enc, l.b) }

// DecodeMsgpack makes l the lock that a reference names. A reference to something
// else is ErrMismatch.
func (l *Lock) DecodeMsgpack(dec *msgpack.Decoder) error {
	ref, label, err := receive(dec, remote.KindLock)
	if err != nil {
		return err
	}
	*l = Lock{label, remote.NewLock(ref)}
	return nil
}

// EncodeMsgpack writes a reference to the lock. One that is not shared is
// ErrNotShared.
func (l *RLock) EncodeMsgpack(enc *msgpack.Encoder) error { return l.encode(enc, l.b) }

// DecodeMsgpack makes l the lock that a reference names. A reference to something
// else is ErrMismatch.
func (l *RLock) DecodeMsgpack(dec *msgpack.Decoder) error {
	ref, label, err := receive(dec, remote.KindRLock)
	if err != nil {
		return err
	}
	*l = RLock{label, remote.NewLock(ref)}
	return nil
}

// EncodeMsgpack writes a reference to the semaphore. One that is not shared is
// ErrNotShared.
func (s *Semaphore) EncodeMsgpack(enc *msgpack.Encoder) error { return s.encode(enc, s.b) }

// DecodeMsgpack makes s the semaphore that a reference names. A reference to
// something else is ErrMismatch.
func (s *Semaphore) DecodeMsgpack(dec *msgpack.Decoder) error {
	return s.receive(dec, remote.KindSemaphore)
}

// DecodeMsgpack makes s the semaphore that a reference names. A reference to
// something else is ErrMismatch.
func (s *BoundedSemaphore) DecodeMsgpack(dec *msgpack.Decoder) error {
	return s.receive(dec, remote.KindBoundedSemaphore)
}

func (s *Semaphore) receive(dec *msgpack.Decoder, kind string) error {
	ref, label, err := receive(dec, kind)
	if err != nil {
		return err
	}
	*s = Semaphore{label, remote.NewSemaphore(ref)}
	return nil
}

// EncodeMsgpack writes a reference to the condition. One that is not shared is
// ErrNotShared.
func (c *Condition) EncodeMsgpack(enc *msgpack.Encoder) error { return c.encode(enc, c.b) }

// DecodeMsgpack makes c the condition that a reference names, with its lock. A
// reference to something else is ErrMismatch.
func (c *Condition) DecodeMsgpack(dec *msgpack.Decoder) error {
	ref, label, err := receive(dec, remote.KindCondition)
	if err != nil {
		return err
	}
	*c = Condition{label, remote.NewCondition(ref)}
	return nil
}

// EncodeMsgpack writes a reference to the event. One that is not shared is
// ErrNotShared.
func (e *Event) EncodeMsgpack(enc *msgpack.Encoder) error { return e.encode(enc, e.b) }

// DecodeMsgpack makes e the event that a reference names. A reference to something
// else is ErrMismatch.
func (e *Event) DecodeMsgpack(dec *msgpack.Decoder) error {
	ref, label, err := receive(dec, remote.KindEvent)
	if err != nil {
		return err
	}
	*e = Event{label, remote.NewEvent(ref)}
	return nil
}

// EncodeMsgpack writes a reference to the barrier. One that is not shared is
// ErrNotShared.
func (b *Barrier) EncodeMsgpack(enc *msgpack.Encoder) error { return b.encode(enc, b.b) }

// DecodeMsgpack makes b the barrier that a reference names. A reference to
// something else is ErrMismatch.
func (b *Barrier) DecodeMsgpack(dec *msgpack.Decoder) error {
	ref, label, err := receive(dec, remote.KindBarrier)
	if err != nil {
		return err
	}
	*b = Barrier{label, remote.NewBarrier(ref)}
	return nil
}

// EncodeMsgpack writes a reference to the variable. One that is not shared is
// ErrNotShared.
func (v *Value[T]) EncodeMsgpack(enc *msgpack.Encoder) error { return v.encode(enc, v.b) }

// DecodeMsgpack makes v the variable that a reference names. A reference to
// something else, or to a variable of another type, is ErrMismatch.
func (v *Value[T]) DecodeMsgpack(dec *msgpack.Decoder) error {
	return v.receive(dec, remote.KindValue)
}

// DecodeMsgpack makes n the variable that a reference names. A reference to
// something else, or to a variable of another type, is ErrMismatch.
func (n *Number[T]) DecodeMsgpack(dec *msgpack.Decoder) error {
	return n.receive(dec, remote.KindNumber)
}

// EncodeMsgpack writes a reference to the array. One that is not shared is
// ErrNotShared.
func (a *Array[T]) EncodeMsgpack(enc *msgpack.Encoder) error { return a.encode(enc, a.b) }

// DecodeMsgpack makes a the array that a reference names. A reference to something
// else, or to an array of another type, is ErrMismatch.
func (a *Array[T]) DecodeMsgpack(dec *msgpack.Decoder) error {
	return a.receive(dec, remote.KindArray)
}

func (c *cells[T]) receive(dec *msgpack.Decoder, kind string) error {
	ref, label, err := receive(dec, kind)
	if err == nil {
		if err := ref.CheckType(reflect.TypeFor[T]().String()); err != nil {
			return label.failed("decode", err)
		}
		*c = cells[T]{label, remote.NewCells(ref)}
	}
	return err
}
