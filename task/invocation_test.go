package task

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/feac4032/multiproc/ipc"
)

var (
	longEcho = Define("invocation.echo", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })
	longText = Define("invocation.text", func(_ context.Context, s string) (string, error) { return s, nil })
	longFail = Define("invocation.fail", func(_ context.Context, b []byte) ([]byte, error) { panic(len(b)) })
)

// partOf reports whether part is a part of whole's memory.
func partOf(part, whole []byte) bool {
	for i := range whole {
		if &whole[i] == &part[0] {
			return true
		}
	}
	return false
}

func TestInvocation_CopiesNoLongBytes(t *testing.T) {
	t.Parallel()
	arg := bytes.Repeat([]byte{7}, ipc.MaxInline+1)
	payload, err := longEcho.EncodeIn(nil, arg)
	if err != nil {
		t.Fatal(err)
	}
	var x Invocation
	out, err := x.Run(t.Context(), longEcho.def, payload, []byte("before"), true)
	if err != nil {
		t.Fatal(err)
	}
	if !x.Kept || !partOf(x.Tail, payload) {
		t.Error("the argument or the result was copied")
	}
	if whole := append(out[len("before"):], x.Tail...); !bytes.Equal(whole, payload) {
		t.Errorf("head and tail are %d bytes, not the %d of the payload", len(whole), len(payload))
	}
	if cap(x.Tail) != len(x.Tail) {
		t.Error("a task that appends to its argument writes behind it")
	}
}

func TestInvocation_CopiesWhatIsNotGiven(t *testing.T) {
	t.Parallel()
	payload, _ := longEcho.EncodeIn(nil, make([]byte, ipc.MaxInline+1))
	var x Invocation
	if _, err := x.Run(t.Context(), longEcho.def, payload, nil, false); err != nil {
		t.Fatal(err)
	}
	if x.Kept || partOf(x.Tail, payload) {
		t.Error("the task has got a part of a payload that is not its own")
	}
}

func TestInvocation_HasTailsOnlyOfLongBytes(t *testing.T) {
	t.Parallel()
	var x Invocation
	short, _ := longEcho.EncodeIn(nil, make([]byte, ipc.MaxInline))
	if out, err := x.Run(t.Context(), longEcho.def, short, nil, true); err != nil || x.Tail != nil || !bytes.Equal(out, short) {
		t.Errorf("short bytes: %d and a tail of %d, %v", len(out), len(x.Tail), err)
	}
	text, _ := longText.EncodeIn(nil, string(make([]byte, ipc.MaxInline+1)))
	if out, err := x.Run(t.Context(), longText.def, text, nil, true); err != nil || x.Tail != nil || x.Kept || !bytes.Equal(out, text) {
		t.Errorf("long text: %d and a tail of %d, kept %v, %v", len(out), len(x.Tail), x.Kept, err)
	}
}

func TestInvocation_LeavesNothingOfOneThatFails(t *testing.T) {
	t.Parallel()
	payload, _ := longEcho.EncodeIn(nil, make([]byte, ipc.MaxInline+1))
	var x Invocation
	if _, err := x.Run(t.Context(), longEcho.def, payload, nil, true); err != nil || x.Tail == nil {
		t.Fatal(err)
	}
	out, err := x.Run(t.Context(), longFail.def, payload, []byte("before"), true)
	var panicked *PanicError
	if !errors.As(err, &panicked) || x.Tail != nil || string(out) != "before" {
		t.Errorf("%q with a tail of %d bytes, %v", out, len(x.Tail), err)
	}
}

func TestAdoptOut_KeepsLongBytesAndRefusesAsDecodeOutDoes(t *testing.T) {
	t.Parallel()
	payload, _ := longEcho.EncodeIn(nil, make([]byte, 10))
	out, kept, err := longEcho.AdoptOut(payload)
	if err != nil || !kept || !partOf(out, payload) {
		t.Errorf("kept %v, %v", kept, err)
	}
	if out, kept, err := longText.AdoptOut([]byte{0xa1, 'a'}); out != "a" || kept || err != nil {
		t.Errorf("%q, kept %v, %v", out, kept, err)
	}
	for _, bad := range [][]byte{nil, {0x01}, {0xc4, 5, 1}, {0xc4, 1, 1, 1}, {0xc6, 0xff, 0xff, 0xff, 0xff}} {
		_, _, adopted := longEcho.AdoptOut(bad)
		_, decoded := longEcho.DecodeOut(bad)
		if adopted == nil || decoded == nil || adopted.Error() != decoded.Error() {
			t.Errorf("% x: adopted %v, decoded %v", bad, adopted, decoded)
		}
	}
	if _, _, err := (Task[int, []byte]{}).AdoptOut(payload); err == nil {
		t.Error("the zero task adopts")
	}
}
