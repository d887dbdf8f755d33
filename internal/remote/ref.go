package remote

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/ipc"
)

// The kinds of shared objects.
const (
	KindLock             = "lock"
	KindRLock            = "rlock"
	KindSemaphore        = "semaphore"
	KindBoundedSemaphore = "bounded semaphore"
	KindCondition        = "condition"
	KindEvent            = "event"
	KindBarrier          = "barrier"
	KindValue            = "value"
	KindNumber           = "number"
	KindArray            = "array"
	KindQueue            = "queue"
	KindJoinable         = "joinable queue"
	KindSimple           = "simple queue"
	KindPipe             = "pipe"
)

// Ref names a shared object. It is what travels in its place.
type Ref struct {
	ID   uint64 // its number; the upper half says whose it is, see [Register]
	Kind string
	Name string
	Type string // of its items or values, "" if it has none
	Size int64  // items that a queue holds, 0 = unbounded; permits, parties, cells
	Peer uint64 // of a condition: its lock; of a pipe as it was opened: the other end; else 0

	// PeerKind is the kind of a condition's lock.
	PeerKind string
}

// maxName bounds every text of a Ref, in bytes.
const maxName = ipc.MaxName

func validText(p []byte) bool { return utf8.Valid(p) }

func (r Ref) append(b []byte) []byte {
	b = appendArray(b, 7)
	b = appendUint(b, r.ID)
	b = appendText(b, r.Kind)
	b = appendText(b, r.Name)
	b = appendText(b, r.Type)
	b = appendInt(b, r.Size)
	b = appendUint(b, r.Peer)
	return appendText(b, r.PeerKind)
}

func (s *scanner) ref() (r Ref) {
	s.arrayOf(7)
	r.ID = s.uint()
	r.Kind = s.text(64)
	r.Name = s.text(maxName)
	r.Type = s.text(maxName)
	r.Size = int64(s.int())
	r.Peer = s.uint()
	r.PeerKind = s.text(64)
	if r.ID == 0 || r.Kind == "" {
		s.fail()
	}
	return r
}

// Encode writes the reference as one msgpack value.
func (r Ref) Encode(enc *msgpack.Encoder) error {
	_, err := enc.Writer().Write(r.append(nil))
	return err
}

// DecodeRef reads a reference to an object of one of the given kinds. Another
// kind is broker.ErrMismatch.
func DecodeRef(dec *msgpack.Decoder, kinds ...string) (Ref, error) {
	raw, err := dec.DecodeRaw()
	if err != nil {
		return Ref{}, err
	}
	s := scanner{b: bytes.Clone(raw)}
	r := s.ref()
	if !s.done() {
		return Ref{}, errors.New("not a reference to a shared object")
	}
	return r, r.check(kinds...)
}

// check reports whether the object is of one of the kinds.
func (r Ref) check(kinds ...string) error {
	for _, k := range kinds {
		if r.Kind == k {
			return nil
		}
	}
	return fmt.Errorf("%s: %w: a %s is wanted", r, broker.ErrMismatch, kinds[0])
}

// CheckType reports whether the object has items or values of this type.
func (r Ref) CheckType(typ string) error {
	if r.Type == typ {
		return nil
	}
	return fmt.Errorf("%s: %w: it is one of %s, not of %s", r, broker.ErrMismatch, r.Type, typ)
}

// String is what errors call the object, such as `lock "db"`.
func (r Ref) String() string { return fmt.Sprintf("%s %q", r.Kind, r.Name) }
