package ipc

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"
)

// FuzzReader compares the frames of a stream that comes in pieces with those of
// the same bytes at once, and both with the lengths in it.
func FuzzReader(f *testing.F) {
	for _, v := range vectors(f, "streams.json") {
		f.Add([]byte(v.Hex), uint16(1))
		f.Add([]byte(v.Hex), uint16(7))
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, uint16(2))
	f.Add([]byte{0, 0x10, 0, 0, 1}, uint16(3))
	f.Fuzz(func(t *testing.T, stream []byte, step uint16) {
		read := func(src io.Reader) (bodies [][]byte, err error) {
			r := NewReader(src)
			for {
				b, err := r.Next()
				if err != nil {
					if r.Total() > uint64(len(stream)) {
						t.Fatalf("%d bytes of %d were read", r.Total(), len(stream))
					}
					return bodies, err
				}
				bodies = append(bodies, bytes.Clone(b))
			}
		}
		whole, wholeErr := read(bytes.NewReader(stream))
		parts, partsErr := read(&stepReader{stream, int(step%1024) + 1})
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Fatalf("at once and in pieces differ:\n%s", diff)
		}
		if wholeErr.Error() != partsErr.Error() {
			t.Fatalf("at once %q, in pieces %q", wholeErr, partsErr)
		}
		again := frames(whole...)
		if !bytes.HasPrefix(stream, again) {
			t.Fatal("the frames are not those of the stream")
		}
		rest := len(stream) - len(again)
		switch {
		case wholeErr == io.EOF && rest != 0, wholeErr == io.ErrUnexpectedEOF && rest == 0:
			t.Fatalf("%v with %d bytes left", wholeErr, rest)
		case wholeErr != io.EOF && wholeErr != io.ErrUnexpectedEOF && !errors.Is(wholeErr, ErrProtocol):
			t.Fatal(wholeErr)
		}
	})
}

// stepReader returns at most step bytes a read.
type stepReader struct {
	b    []byte
	step int
}

func (s *stepReader) Read(p []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.b[:min(s.step, len(s.b))])
	s.b = s.b[n:]
	return n, nil
}

// FuzzValidate holds the validator to its promise: what passes is one whole value
// for a decoder that was written by others, and what their encoder makes of it
// passes again.
func FuzzValidate(f *testing.F) {
	for _, v := range vectors(f, "payloads.json") {
		if b := v.bytes(); len(b) < 4096 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		err := ValidatePayload(b)
		if ValidateControl(b) == nil && err != nil {
			t.Fatalf("good for an envelope, but no payload: %v", err)
		}
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Fatal(err)
			}
			return
		}
		src := bytes.NewReader(b)
		if err := msgpack.NewDecoder(src).Skip(); err != nil {
			t.Fatalf("passed, but cannot be skipped: %v", err)
		}
		if src.Len() != 0 {
			t.Fatalf("passed, but %d bytes are left", src.Len())
		}
		d := msgpack.NewDecoder(bytes.NewReader(b))
		d.SetMapDecoder(func(d *msgpack.Decoder) (any, error) { return d.DecodeUntypedMap() })
		v, err := d.DecodeInterface()
		if err != nil {
			return // an extension that it does not know
		}
		again, err := msgpack.Marshal(v)
		if err != nil {
			return // a time out of its range
		}
		if err := ValidatePayload(again); err != nil {
			t.Fatalf("what msgpack encodes is refused: %v\n% x", err, again)
		}
	})
}

// FuzzEnvelope checks that what Parse accepts means the same after it was
// encoded again, and is good msgpack.
func FuzzEnvelope(f *testing.F) {
	for _, file := range []string{"envelopes.json", "bad_envelopes.json"} {
		for _, v := range vectors(f, file) {
			f.Add([]byte(v.Hex))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			var p *ProtocolError
			if !errors.As(err, &p) || p.Reason == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		if len(b) <= MaxFrame {
			if err := ValidateControl(b); err != nil {
				t.Fatalf("accepted, but the validator refuses it: %v", err)
			}
		}
		// The size of what follows may be anything; only the form of it is encoded
		// from a payload here.
		if m.Chunked() && (m.Size <= MaxInline || m.Size > 1<<20) {
			m.Size = MaxInline + 1
		}
		want := golden(&m)
		if m.Kind == KindCredit || m.Kind == KindStop {
			want.ID = 0
		}
		again, err := Parse(encode(&m))
		if err != nil {
			t.Fatalf("encoded again: %v", err)
		}
		if diff := cmp.Diff(want, golden(&again)); diff != "" {
			t.Fatalf("after it was encoded again (-want +got):\n%s", diff)
		}
	})
}

// FuzzHandshake reads a worker's first bytes, at once and one by one.
func FuzzHandshake(f *testing.F) {
	for _, v := range vectors(f, "streams.json") {
		f.Add([]byte(v.Hex))
	}
	for _, v := range vectors(f, "handshakes.json") {
		f.Add(frames(v.Hex))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		if h, err := ParseHello(stream); err == nil {
			if again, err := ParseHello(AppendHello(nil, h)); err != nil || *again != *h {
				t.Fatalf("hello %+v became %+v, %v", h, again, err)
			}
		}
		stray, msgs, err := replay(bytes.NewReader(stream))
		stray2, msgs2, err2 := replay(&stepReader{stream, 1})
		if !bytes.Equal(stray, stray2) && !(err != nil && err2 != nil) {
			t.Fatalf("stray at once %q, byte by byte %q", stray, stray2)
		}
		if diff := cmp.Diff(msgs, msgs2); diff != "" {
			t.Fatalf("at once and byte by byte differ:\n%s", diff)
		}
		if (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() {
			t.Fatalf("at once %v, byte by byte %v", err, err2)
		}
		if !bytes.HasPrefix(stream, stray) {
			t.Fatalf("stray %q is not how the stream begins", stray)
		}
		if errors.Is(err, ErrNoReady) && len(stray) != len(stream) {
			t.Fatalf("%d of %d bytes of captured output are lost", len(stream)-len(stray), len(stream))
		}
	})
}
