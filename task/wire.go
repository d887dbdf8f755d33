package task

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/feac4032/multiproc/ipc"
)

// maxDepth bounds how deep arrays and maps nest, in both directions: what is
// deeper would not pass the frames.
const maxDepth = ipc.MaxPayloadDepth

// timeExt is the extension type that msgpack reserves for timestamps.
const timeExt = -1

// wire is the kind of a value as its first byte tells it.
type wire uint8

const (
	wireNil wire = iota
	wireBool
	wireInt  // fits int64: bits holds it
	wireUint // greater than the largest int64
	wireFloat32
	wireFloat64
	wireString
	wireBinary
	wireArray
	wireMap
	wireExt
)

var wireNames = [...]string{
	wireNil: "nil", wireBool: "bool", wireInt: "integer", wireUint: "integer",
	wireFloat32: "float", wireFloat64: "float", wireString: "string", wireBinary: "binary",
	wireArray: "array", wireMap: "map", wireExt: "extension",
}

func (w wire) String() string { return wireNames[w] }

// head is the first part of a value: all of a scalar, or the size of what
// follows.
type head struct {
	bits uint64 // the scalar's bits
	size int    // bytes of a string, binary or extension, elements of an array, pairs of a map
	kind wire
	ext  int8
}

// reader walks one hostile payload. Every size is checked against the bytes
// that are left before anything is allocated for it.
type reader struct {
	data []byte
	off  int
	// owed counts the elements that the open arrays and maps still promise.
	// Each takes a byte at least, so owed ≤ bytes left holds for a true payload;
	// without it, nested headers could each claim the same bytes.
	owed  int
	depth int
}

func (r *reader) left() int { return len(r.data) - r.off }

func (r *reader) truncated() error {
	return decodeErrorf("data ends inside a value")
}

// fixed reads n big-endian bytes.
func (r *reader) fixed(n int) (uint64, bool) {
	if r.left() < n {
		return 0, false
	}
	b := r.data[r.off : r.off+n]
	r.off += n
	switch n {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(binary.BigEndian.Uint16(b)), true
	case 4:
		return uint64(binary.BigEndian.Uint32(b)), true
	default:
		return binary.BigEndian.Uint64(b), true
	}
}

// head reads a value's first part. For strings, binaries and extensions the
// body is there in full; arrays and maps are only promised, see open.
func (r *reader) head() (head, error) {
	if r.off >= len(r.data) {
		return head{}, r.truncated()
	}
	c := r.data[r.off]
	r.off++
	switch {
	case c <= 0x7f:
		return head{kind: wireInt, bits: uint64(c)}, nil
	case c >= 0xe0:
		return head{kind: wireInt, bits: uint64(int64(int8(c)))}, nil
	case c <= 0x8f:
		return head{kind: wireMap, size: int(c & 0x0f)}, nil
	case c <= 0x9f:
		return head{kind: wireArray, size: int(c & 0x0f)}, nil
	case c <= 0xbf:
		return r.sized(head{kind: wireString, size: int(c & 0x1f)})
	}
	switch c {
	case 0xc0:
		return head{kind: wireNil}, nil
	case 0xc2, 0xc3:
		return head{kind: wireBool, bits: uint64(c & 1)}, nil
	case 0xc4, 0xc5, 0xc6:
		return r.counted(wireBinary, 1<<(c-0xc4))
	case 0xc7, 0xc8, 0xc9:
		return r.counted(wireExt, 1<<(c-0xc7))
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return r.sized(head{kind: wireExt, size: 1 << (c - 0xd4)})
	case 0xd9, 0xda, 0xdb:
		return r.counted(wireString, 1<<(c-0xd9))
	case 0xdc, 0xdd:
		return r.counted(wireArray, 2<<(c-0xdc))
	case 0xde, 0xdf:
		return r.counted(wireMap, 2<<(c-0xde))
	case 0xca, 0xcb:
		n, ok := r.fixed(4 << (c - 0xca))
		if !ok {
			return head{}, r.truncated()
		}
		return head{kind: wireFloat32 + wire(c-0xca), bits: n}, nil
	case 0xcc, 0xcd, 0xce, 0xcf:
		n, ok := r.fixed(1 << (c - 0xcc))
		if !ok {
			return head{}, r.truncated()
		}
		if n > math.MaxInt64 {
			return head{kind: wireUint, bits: n}, nil
		}
		return head{kind: wireInt, bits: n}, nil
	case 0xd0, 0xd1, 0xd2, 0xd3:
		size := 1 << (c - 0xd0)
		n, ok := r.fixed(size)
		if !ok {
			return head{}, r.truncated()
		}
		shift := 64 - 8*size
		return head{kind: wireInt, bits: uint64(int64(n<<shift) >> shift)}, nil
	}
	return head{}, decodeErrorf("byte 0x%02x starts no msgpack value", c)
}

// short reads a number that is not negative and has at most four bytes, as most
// have; another value stays where it is.
func (r *reader) short() (int, bool) {
	b := r.data[r.off:]
	if len(b) < 5 {
		if len(b) > 0 && b[0] <= 0x7f {
			r.off++
			return int(b[0]), true
		}
		return 0, false
	}
	switch c := b[0]; {
	case c <= 0x7f:
		r.off++
		return int(c), true
	case c == 0xce:
		n := binary.BigEndian.Uint32(b[1:])
		if int64(int(n)) != int64(n) {
			return 0, false
		}
		r.off += 5
		return int(n), true
	case c == 0xcd:
		r.off += 3
		return int(binary.BigEndian.Uint16(b[1:])), true
	case c == 0xcc:
		r.off += 2
		return int(b[1]), true
	}
	return 0, false
}

// rewind goes back to where a value began, whatever was left open inside it.
func (r *reader) rewind(off int) { r.off, r.owed, r.depth = off, 0, 0 }

// counted reads a size of the given width.
func (r *reader) counted(kind wire, width int) (head, error) {
	n, ok := r.fixed(width)
	if !ok {
		return head{}, r.truncated()
	}
	h := head{kind: kind, size: int(n)}
	if kind == wireArray || kind == wireMap {
		return h, nil
	}
	return r.sized(h)
}

// sized checks that the body of a string, binary or extension is there.
func (r *reader) sized(h head) (head, error) {
	if h.kind == wireExt {
		t, ok := r.fixed(1)
		if !ok {
			return head{}, r.truncated()
		}
		h.ext = int8(t)
	}
	if h.size > r.left() || h.size < 0 {
		return head{}, decodeErrorf("%s of %d bytes, but %d are left", h.kind, uint32(h.size), r.left())
	}
	return h, nil
}

// body returns the bytes that head has found to be there.
func (r *reader) body(h head) []byte {
	b := r.data[r.off : r.off+h.size]
	r.off += h.size
	return b
}

// open enters an array or map whose elements (pairs) take at least least bytes
// each. Every element must be announced by next, and close ends it.
func (r *reader) open(h head, least int) error {
	n := h.size
	if h.kind == wireMap {
		n *= 2
	}
	left := r.left() - r.owed
	if n < 0 || n > left || h.size > left/max(least, 1) {
		return decodeErrorf("%s of %d elements, but %d bytes are left", h.kind, uint32(h.size), r.left())
	}
	if r.depth++; r.depth > maxDepth {
		return decodeErrorf("nested deeper than %d", maxDepth)
	}
	r.owed += n
	return nil
}

func (r *reader) next()  { r.owed-- }
func (r *reader) close() { r.depth-- }

// finish ends the walk over a payload: bytes after the value are refused, and
// errors get the name of the whole in front of their path.
func (r *reader) finish(root string, err error) error {
	if n := r.left(); err == nil && n != 0 {
		err = decodeErrorf("%d bytes follow the value", n)
	}
	if err != nil {
		return within(root, err)
	}
	return nil
}

// skip passes over one value of any kind and returns its bytes.
func (r *reader) skip() ([]byte, error) {
	start := r.off
	if err := r.pass(); err != nil {
		return nil, err
	}
	return r.data[start:r.off], nil
}

func (r *reader) pass() error {
	h, err := r.head()
	if err != nil {
		return err
	}
	n := h.size
	switch h.kind {
	case wireString, wireBinary, wireExt:
		r.off += h.size
		return nil
	case wireMap:
		n *= 2
	case wireArray:
	default:
		return nil
	}
	if err := r.open(h, 1); err != nil {
		return err
	}
	for range n {
		r.next()
		if err := r.pass(); err != nil {
			return err
		}
	}
	r.close()
	return nil
}

// timestamp decodes the body of a timestamp extension, in UTC.
func timestamp(b []byte) (time.Time, error) {
	var sec int64
	var nsec uint64
	switch len(b) {
	case 4:
		sec = int64(binary.BigEndian.Uint32(b))
	case 8:
		n := binary.BigEndian.Uint64(b)
		sec, nsec = int64(n&(1<<34-1)), n>>34
	case 12:
		nsec = uint64(binary.BigEndian.Uint32(b))
		sec = int64(binary.BigEndian.Uint64(b[4:]))
	default:
		return time.Time{}, decodeErrorf("timestamp of %d bytes", len(b))
	}
	if nsec > 999_999_999 {
		return time.Time{}, decodeErrorf("timestamp with %d nanoseconds", nsec)
	}
	return time.Unix(sec, int64(nsec)).UTC(), nil
}
