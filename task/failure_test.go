package task_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/feac4032/multiproc/task"
)

var errQuota = errors.New("quota exceeded")

func init() { task.DefineError("test.quota", errQuota) }

// sent takes a failure through the wire.
func sent(t *testing.T, err error) *task.Failure {
	t.Helper()
	data := task.NewFailure(err).Append([]byte("before"))
	f, derr := task.DecodeFailure(data[len("before"):])
	if derr != nil {
		t.Fatal(derr)
	}
	return f
}

func TestFailure_ErrorsIsHoldsOnTheOtherSide(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("upload: %w", errors.Join(errQuota, io.ErrUnexpectedEOF))
	f := sent(t, err)
	if !errors.Is(f, errQuota) || !errors.Is(f, io.ErrUnexpectedEOF) || errors.Is(f, io.EOF) {
		t.Errorf("failure is %+v", f)
	}
	if f.Error() != err.Error() || f.Type != "*fmt.wrapError" {
		t.Errorf("failure is %+v", f)
	}
	// Once more, as an error of a task that called another.
	relayed := sent(t, fmt.Errorf("outer: %w", f))
	if !errors.Is(relayed, errQuota) || relayed.Msg != "outer: "+err.Error() {
		t.Errorf("relayed failure is %+v", relayed)
	}
}

func TestFailure_RelaysCodesThatThisProcessDoesNotKnow(t *testing.T) {
	t.Parallel()
	f := sent(t, fmt.Errorf("outer: %w", &task.Failure{Msg: "m", Codes: []string{"elsewhere.err"}}))
	if !slices.Equal(f.Codes, []string{"elsewhere.err"}) || len(f.Unwrap()) != 0 {
		t.Errorf("failure is %+v", f)
	}
}

func TestFailure_KeepsEveryField(t *testing.T) {
	t.Parallel()
	for _, want := range []task.Failure{
		{Msg: ""},
		{Stage: task.StageResult, Type: "T", Msg: "m", Codes: []string{"a", "b"}, Panic: true, Stack: "s"},
		{Msg: "\xff", Stack: strings.Repeat("s", 1000)},
	} {
		got, err := task.DecodeFailure(want.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if f := (&task.Failure{Stage: task.StageArgument, Msg: "m"}); f.Error() != "argument: m" {
		t.Errorf("text is %q", f)
	}
	if task.NewFailure(nil) != nil {
		t.Error("nil is a failure")
	}
}

func TestNewFailure_CutsAndSaysSo(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 100_000)
	f := sent(t, &task.StageError{Stage: task.StageFunction, Err: &task.PanicError{Value: long, Text: long, Stack: long}})
	for _, text := range []string{f.Msg, f.Stack} {
		if len(text) > 64<<10 || len(text) < 63<<10 || !strings.Contains(text, "… (cut from 2000") || !utf8.ValidString(text) {
			t.Errorf("%d bytes, ending in %q", len(text), text[len(text)-40:])
		}
	}
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprintf("code%02d", i)
	}
	f = sent(t, &task.Failure{Msg: "m", Codes: many})
	if len(f.Codes) != 33 || f.Codes[31] != "code31" || f.Codes[32] != "…" {
		t.Errorf("codes are %v", f.Codes)
	}
}

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

func TestNewFailure_SurvivesAnErrorMethodThatPanics(t *testing.T) {
	t.Parallel()
	if f := sent(t, (*nilError)(nil)); !strings.Contains(f.Msg, "*task_test.nilError, whose Error method panics") {
		t.Errorf("failure is %+v", f)
	}
}

func TestDecodeFailure_RefusesHostileInput(t *testing.T) {
	t.Parallel()
	over := strings.Repeat("x", 64<<10+1)
	tests := map[string][]byte{
		"empty":         nil,
		"not a map":     {0x05},
		"no message":    {0x80},
		"unknown field": raw(t, "82 a3'msg'a0 a1'x'01"),
		"wrong kind":    raw(t, "81 a3'msg'05"),
		"unknown stage": (&task.Failure{Stage: "elsewhere"}).Append(nil),
		"long message":  (&task.Failure{Msg: over}).Append(nil),
		"long stack":    (&task.Failure{Stack: over}).Append(nil),
		"long type":     (&task.Failure{Type: over}).Append(nil),
		"long code":     (&task.Failure{Codes: []string{over}}).Append(nil),
		"many codes":    (&task.Failure{Codes: make([]string, 34)}).Append(nil),
		"endless codes": raw(t, "82 a3'msg'a0 a5'codes' dd ffffffff"),
	}
	for name, data := range tests {
		if f, err := task.DecodeFailure(data); err == nil {
			t.Errorf("%s: accepted as %+v", name, f)
		}
	}
}

func TestDefineError_PanicsOnMisuse(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]func(){
		"not a valid code": func() { task.DefineError("a b", errQuota) },
		"nil error":        func() { task.DefineError("test.nil", nil) },
		"defined twice":    func() { task.DefineError("context.Canceled", context.Canceled) },
	} {
		if text, _ := recovered(f).(string); !strings.Contains(text, want) {
			t.Errorf("panicked with %q, want %q", text, want)
		}
	}
}
