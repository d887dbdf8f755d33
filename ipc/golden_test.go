package ipc

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// vector is one entry of any file in testdata/protocol.
type vector struct {
	Name      string
	Kind      string
	Hex       hexBytes
	Repeat    int
	Tail      hexBytes
	Control   bool
	Canonical bool
	Reason    string
	Message   json.RawMessage
	Nonce     hexBytes
	Stray     hexBytes
	Messages  []goldenMessage
	Error     string
}

type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	p, err := hex.DecodeString(s)
	*h = p
	return err
}

// bytes is the input that the vector describes.
func (v *vector) bytes() []byte {
	return append(bytes.Repeat(v.Hex, max(v.Repeat, 1)), v.Tail...)
}

// goldenMessage is the meaning of an envelope as the vectors write it.
type goldenMessage struct {
	Kind      string    `json:"kind"`
	ID        uint64    `json:"id"`
	Name      string    `json:"name"`
	Label     string    `json:"label"`
	Key       string    `json:"key"`
	Attempt   uint32    `json:"attempt"`
	Timeout   uint64    `json:"timeout_ms"`
	Items     uint64    `json:"items"`
	Place     uint64    `json:"place"`
	Status    uint8     `json:"status"`
	Level     uint8     `json:"level"`
	Stream    uint8     `json:"stream"`
	Body      *hexBytes `json:"body"`
	Size      uint64    `json:"size"`
	Bytes     uint64    `json:"bytes"`
	Interrupt bool      `json:"interrupt"`
	StdoutEnd *uint64   `json:"stdout_end"`
	StderrEnd *uint64   `json:"stderr_end"`
}

// golden is m in the terms of the vectors.
func golden(m *Message) goldenMessage {
	g := goldenMessage{
		Kind: m.Kind.String(), ID: m.ID, Name: string(m.Name), Label: string(m.Label), Key: string(m.Key),
		Attempt: m.Attempt, Timeout: m.Timeout, Items: m.Items, Place: m.Place, Status: uint8(m.Status), Level: uint8(m.Level), Stream: m.Stream,
		Size: m.Size, Bytes: m.Bytes, Interrupt: m.Interrupt,
	}
	if m.Body != nil {
		b := hexBytes(m.Body)
		g.Body = &b
	}
	if m.HasOffsets {
		g.StdoutEnd, g.StderrEnd = &m.StdoutEnd, &m.StderrEnd
	}
	return g
}

// encode appends the envelope of m in its only canonical form.
func encode(m *Message) []byte {
	payload := m.Body
	if m.Chunked() {
		payload = make([]byte, m.Size)
	}
	switch m.Kind {
	case KindJob:
		if m.Items > 0 {
			return AppendJobItems(nil, m.ID, string(m.Name), m.Attempt, m.Timeout, string(m.Label), string(m.Key), payload, m.Items)
		}
		return AppendJob(nil, m.ID, string(m.Name), m.Attempt, m.Timeout, string(m.Label), string(m.Key), payload)
	case KindData:
		return AppendData(nil, m.ID, m.Body)
	case KindCredit:
		return AppendCredit(nil, m.Bytes)
	case KindCancel:
		return AppendCancel(nil, m.ID, m.Interrupt)
	case KindStop:
		return AppendStop(nil)
	case KindPing:
		return AppendPing(nil, m.ID)
	case KindPong:
		return AppendPong(nil, m.ID)
	case KindResult:
		if m.HasOffsets {
			return AppendResultOffsets(nil, m.ID, m.Status, payload, m.StdoutEnd, m.StderrEnd)
		}
		return AppendResult(nil, m.ID, m.Status, payload)
	case KindProgress:
		return AppendProgress(nil, m.ID, m.Body)
	case KindLog:
		return AppendLog(nil, m.ID, m.Level, string(m.Name), m.Body)
	case KindOutput:
		return AppendOutput(nil, m.ID, m.Stream, m.Body)
	case KindCall:
		return AppendCall(nil, m.ID, string(m.Name), payload)
	case KindReply:
		return AppendReply(nil, m.ID, m.Status, payload)
	case KindPlace:
		return AppendPlace(nil, m.ID, m.Place, m.Size)
	}
	return nil
}

// vectors reads a file of testdata/protocol.
func vectors(t testing.TB, file string) []vector {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", "protocol", file))
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&vs); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(vs) == 0 {
		t.Fatalf("%s: no vectors", file)
	}
	return vs
}

func strictly(t *testing.T, raw json.RawMessage, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatal(err)
	}
}

func checkViolation(t *testing.T, err error, reason string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted; want an error with %q", reason)
	}
	if !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrVersion) {
		t.Errorf("error %q is neither ErrProtocol nor ErrVersion", err)
	}
	if !strings.Contains(err.Error(), reason) {
		t.Errorf("error %q, want it to say %q", err, reason)
	}
}

func TestGolden_Envelopes(t *testing.T) {
	t.Parallel()
	kinds := map[Kind]bool{}
	for _, v := range vectors(t, "envelopes.json") {
		t.Run(v.Name, func(t *testing.T) {
			var want goldenMessage
			strictly(t, v.Message, &want)
			m, err := Parse(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, golden(&m)); diff != "" {
				t.Errorf("meaning (-want +got):\n%s", diff)
			}
			if err := ValidateControl(v.Hex); err != nil {
				t.Errorf("the validator refuses it: %v", err)
			}
			// A later element is lost and a long encoding becomes a short one,
			// but never what the frame means.
			again := encode(&m)
			if v.Canonical != bytes.Equal(again, v.Hex) && (v.Canonical || !m.Chunked()) {
				t.Errorf("canonical %v, but encodes as\n%x, from\n%x", v.Canonical, again, v.Hex)
			}
			kinds[m.Kind] = true
		})
	}
	for k := KindJob; k <= KindPlace; k++ {
		if !kinds[k] {
			t.Errorf("no vector of kind %v", k)
		}
	}
}

func TestGolden_BadEnvelopes(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "bad_envelopes.json") {
		t.Run(v.Name, func(t *testing.T) {
			_, err := Parse(v.Hex)
			checkViolation(t, err, v.Reason)
		})
	}
}

func TestGolden_Payloads(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "payloads.json") {
		t.Run(v.Name, func(t *testing.T) {
			check := ValidatePayload
			if v.Control {
				check = ValidateControl
			}
			err := check(v.bytes())
			if v.Reason != "" {
				checkViolation(t, err, v.Reason)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestGolden_Handshakes(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "handshakes.json") {
		t.Run(v.Name, func(t *testing.T) {
			if v.Kind == "hello" {
				h, err := ParseHello(v.Hex)
				if v.Reason != "" {
					checkViolation(t, err, v.Reason)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				var want struct {
					Min, Max   uint64
					Nonce      hexBytes
					FrameMax   uint64 `json:"frame_max"`
					MessageMax uint64 `json:"message_max"`
					Credit     uint64
					Worker     string
					CPUs       uint64 `json:"cpus"`
					Threads    uint64 `json:"threads"`
				}
				strictly(t, v.Message, &want)
				wanted := &Hello{Min: want.Min, Max: want.Max, Nonce: [NonceSize]byte(want.Nonce), FrameMax: want.FrameMax, MessageMax: want.MessageMax, Credit: want.Credit, Worker: want.Worker, CPUs: want.CPUs, Threads: want.Threads}
				if diff := cmp.Diff(wanted, h); diff != "" {
					t.Errorf("meaning (-want +got):\n%s", diff)
				}
				if v.Canonical && !bytes.Equal(AppendHello(nil, h), v.Hex) {
					t.Errorf("encodes as\n%x, want\n%x", AppendHello(nil, h), []byte(v.Hex))
				}
				return
			}
			h := &Hello{Min: 1, Max: 1, Nonce: goldenNonce}
			r, err := ParseReady(v.Hex, h)
			if v.Reason != "" {
				checkViolation(t, err, v.Reason)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want struct {
				Nonce                                 hexBytes
				Version, PID, Window, Threads, Credit uint64
				Capabilities                          []Capability
				Tasks                                 []string
				Program                               string
			}
			strictly(t, v.Message, &want)
			wanted := &Ready{Nonce: [NonceSize]byte(want.Nonce), Version: want.Version, PID: want.PID, Window: want.Window, Threads: want.Threads, Credit: want.Credit, Capabilities: want.Capabilities, Tasks: want.Tasks, Program: want.Program}
			if diff := cmp.Diff(wanted, r); diff != "" {
				t.Errorf("meaning (-want +got):\n%s", diff)
			}
			if v.Canonical && !bytes.Equal(AppendReady(nil, r), v.Hex) {
				t.Errorf("encodes as\n%x, want\n%x", AppendReady(nil, r), []byte(v.Hex))
			}
		})
	}
}

var goldenNonce = [NonceSize]byte{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf}

// replay reads a worker's stream to its end as a supervisor does.
func replay(src io.Reader) (stray []byte, msgs []goldenMessage, err error) {
	r := NewReader(src)
	h := &Hello{Min: 1, Max: 1, Nonce: goldenNonce}
	if _, err := r.AwaitReady(h, func(p []byte) { stray = append(stray, p...) }); err != nil {
		return stray, nil, err
	}
	var a Assembler
	for {
		body, err := r.Next()
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return stray, msgs, err
		}
		m, err := Parse(body)
		if err != nil {
			return stray, msgs, err
		}
		whole := &m
		switch {
		case m.Kind == KindData:
			if whole, err = a.Add(&m); err != nil {
				return stray, msgs, err
			}
		case m.Chunked():
			whole = nil
			if err := a.Begin(&m); err != nil {
				return stray, msgs, err
			}
		}
		if whole != nil {
			g := golden(whole)
			if g.Body != nil { // it is a part of the reader's buffer
				kept := hexBytes(bytes.Clone(*g.Body))
				g.Body = &kept
			}
			msgs = append(msgs, g)
		}
	}
}

func TestGolden_Streams(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "streams.json") {
		t.Run(v.Name, func(t *testing.T) {
			check := func(how string, src io.Reader) {
				t.Helper()
				stray, msgs, err := replay(src)
				if !bytes.Equal(stray, v.Stray) && (v.Error == "" || v.Stray != nil) {
					t.Errorf("%s: stray %q, want %q", how, stray, v.Stray)
				}
				if v.Error != "" {
					if err == nil || !strings.Contains(err.Error(), v.Error) {
						t.Errorf("%s: error %v, want it to say %q", how, err, v.Error)
					}
					return
				}
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if diff := cmp.Diff(v.Messages, msgs); diff != "" && len(v.Messages)+len(msgs) > 0 {
					t.Errorf("%s: messages (-want +got):\n%s", how, diff)
				}
			}
			check("at once", bytes.NewReader(v.Hex))
			check("byte by byte", iotest.OneByteReader(bytes.NewReader(v.Hex)))
			check("with the end", iotest.DataErrReader(bytes.NewReader(v.Hex)))
			for i := range len(v.Hex) {
				check("split", io.MultiReader(bytes.NewReader(v.Hex[:i]), bytes.NewReader(v.Hex[i:])))
			}
		})
	}
}
