package queue

import (
	"bytes"
	"errors"
	"testing"
)

// appendItem appends all frames of an item.
func appendItem(dst, item []byte) []byte {
	for {
		var n int
		dst, n = appendPart(dst, item)
		if item = item[n:]; len(item) == 0 {
			return dst
		}
	}
}

// parseAll feeds a stream in pieces of the given sizes, again and again.
func parseAll(stream []byte, sizes []byte) (items [][]byte, p parser, err error) {
	for i := 0; len(stream) > 0; i++ {
		n := len(stream)
		if len(sizes) > 0 {
			n = min(n, 1+int(sizes[i%len(sizes)]))
		}
		in := bytes.Clone(stream[:n])
		stream = stream[n:]
		for {
			item, used, ok, owned, err := p.next(in)
			if err != nil {
				return items, p, err
			}
			in = in[used:]
			if !ok {
				break
			}
			if !owned {
				item = bytes.Clone(item)
			}
			items = append(items, item)
		}
		clear(in)
	}
	return items, p, nil
}

func TestAppendPart_CutsWhatIsLargerThanAFrame(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, maxPart - 1, maxPart, maxPart + 1, 2 * maxPart, 2*maxPart + 1} {
		stream := appendItem(nil, bytes.Repeat([]byte("x"), n))
		frames := max(1, (n+maxPart-1)/maxPart)
		if want := n + frames*frameHeader; len(stream) != want {
			t.Errorf("item of %d bytes takes %d on the wire, want %d", n, len(stream), want)
		}
		items, p, err := parseAll(stream, []byte{255, 3})
		if err != nil || len(items) != 1 || len(items[0]) != n || !p.between() {
			t.Errorf("item of %d bytes came as %d items, %v", n, len(items), err)
		}
	}
}

func FuzzParser(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(appendItem(appendItem(nil, []byte("one")), nil), []byte{0})
	f.Add([]byte{0, 0, 0, 2, markMore, 'a', 0, 0, 0, 1, markLast}, []byte{4})
	f.Add([]byte{0, 0, 0, 1, markMore}, []byte{})
	f.Add([]byte{255, 255, 255, 255, markLast}, []byte{1})
	f.Fuzz(func(t *testing.T, stream, sizes []byte) {
		whole, p1, err1 := parseAll(stream, nil)
		pieces, p2, err2 := parseAll(stream, sizes)
		if (err1 == nil) != (err2 == nil) || p1.between() != p2.between() || len(whole) != len(pieces) {
			t.Fatalf("%d items, %v, in one piece; %d, %v, in many", len(whole), err1, len(pieces), err2)
		}
		if err1 != nil && !errors.Is(err1, ErrLost) {
			t.Errorf("error is no ErrLost: %v", err1)
		}
		bytesOut := 0
		for i := range whole {
			if !bytes.Equal(whole[i], pieces[i]) {
				t.Fatalf("item %d depends on the pieces", i)
			}
			bytesOut += len(whole[i])
		}
		if bytesOut > len(stream) || cap(p1.part) > 2*len(stream) {
			t.Errorf("%d bytes of items and %d kept, of %d bytes that came", bytesOut, cap(p1.part), len(stream))
		}
		// What was understood reads the same when it is sent again.
		var again []byte
		for _, item := range whole {
			again = appendItem(again, item)
		}
		if items, p, err := parseAll(again, sizes); err != nil || len(items) != len(whole) || !p.between() {
			t.Errorf("sent again: %d items of %d, %v", len(items), len(whole), err)
		}
	})
}
