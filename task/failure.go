package task

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"unicode/utf8"
)

const (
	maxText  = 64 << 10 // bytes of a message, and of a stack
	maxType  = 256      // bytes of a type's name
	maxCodes = 32
)

// Failure is an error on its way to another process. There it is an error
// again: its text is Msg, and errors.Is finds the sentinels that its codes name
// in that process.
//
// On the wire it is a map of the fields under their tags; only msg is required.
type Failure struct {
	Stage Stage    `msgpack:"stage,omitempty"` // "" if the error did not come from Def.Run
	Type  string   `msgpack:"type,omitempty"`  // Go type of the error or of the panic's value, for example "*fs.PathError"; at most 256 bytes
	Msg   string   `msgpack:"msg"`             // at most 64 KiB, the end cut off and marked
	Codes []string `msgpack:"codes,omitempty"` // of the sentinels in its chain, sorted, at most 32 and then "…"
	Panic bool     `msgpack:"panic,omitempty"` // the task panicked
	Stack string   `msgpack:"stack,omitempty"` // of the panic, at most 64 KiB, the end cut off and marked
}

var sentinels = struct {
	sync.RWMutex
	byCode map[string]error
}{byCode: map[string]error{
	"context.Canceled":         context.Canceled,
	"context.DeadlineExceeded": context.DeadlineExceeded,
	"fs.ErrExist":              fs.ErrExist,
	"fs.ErrNotExist":           fs.ErrNotExist,
	"fs.ErrPermission":         fs.ErrPermission,
	"io.EOF":                   io.EOF,
	"io.ErrUnexpectedEOF":      io.ErrUnexpectedEOF,
	"task.ErrGoexit":           ErrGoexit,
	"worker.ErrNoRoom":         ErrNoRoom,
}}

// DefineError gives a sentinel error a code under which it travels, so that
// errors.Is holds in the caller's process for what a task returned in another.
// Both processes must define it, usually beside the sentinel. A few errors of
// the standard library have codes already: context.Canceled and
// DeadlineExceeded, io.EOF and ErrUnexpectedEOF, fs.ErrExist, ErrNotExist and
// ErrPermission.
//
// It panics if the code is taken or not of the form of a task's name, or if
// sentinel is nil.
func DefineError(code string, sentinel error) {
	if !validName(code) {
		panic(fmt.Sprintf("task.DefineError(%q): not a valid code", code))
	}
	if sentinel == nil {
		panic(fmt.Sprintf("task.DefineError(%q): nil error", code))
	}
	sentinels.Lock()
	defer sentinels.Unlock()
	if sentinels.byCode[code] != nil {
		panic(fmt.Sprintf("task.DefineError(%q): defined twice", code))
	}
	sentinels.byCode[code] = sentinel
}

// NewFailure describes an error for another process; nil for nil. Of a
// [*StageError] it takes the stage, and the type of the cause.
func NewFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	f := &Failure{}
	cause := err
	var staged *StageError
	if errors.As(err, &staged) {
		f.Stage, cause = staged.Stage, staged.Err
	}
	f.Type = clip(fmt.Sprintf("%T", cause), maxType)
	f.Msg = clip(errorText(cause), maxText)
	var panicked *PanicError
	if errors.As(err, &panicked) {
		f.Panic = true
		f.Type = clip(fmt.Sprintf("%T", panicked.Value), maxType)
		f.Stack = clip(panicked.Stack, maxText)
	}
	f.Codes = codesOf(err)
	return f
}

// errorText survives an Error method that panics, such as that of a nil pointer
// in an error.
func errorText(err error) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = fmt.Sprintf("%T, whose Error method panics: %v", err, v)
		}
	}()
	return err.Error()
}

// codesOf lists the codes of the sentinels in a chain, and those that a failure
// in it has brought from a further process, even if this one does not know them.
func codesOf(err error) []string {
	var codes []string
	sentinels.RLock()
	for code, sentinel := range sentinels.byCode {
		if errors.Is(err, sentinel) {
			codes = append(codes, code)
		}
	}
	sentinels.RUnlock()
	var relayed *Failure
	if errors.As(err, &relayed) {
		codes = append(codes, relayed.Codes...)
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	if len(codes) > maxCodes {
		codes = append(codes[:maxCodes], "…")
	}
	return codes
}

// Error is Msg, with the stage before it unless that is the function itself.
func (f *Failure) Error() string {
	if f.Stage == "" || f.Stage == StageFunction {
		return f.Msg
	}
	return string(f.Stage) + ": " + f.Msg
}

// Unwrap returns the sentinels that this process knows under the codes.
func (f *Failure) Unwrap() []error {
	sentinels.RLock()
	defer sentinels.RUnlock()
	var known []error
	for _, code := range f.Codes {
		if err := sentinels.byCode[code]; err != nil {
			known = append(known, err)
		}
	}
	return known
}

// Append appends the failure as one msgpack value to dst.
func (f *Failure) Append(dst []byte) []byte {
	fields := byte(1)
	for _, present := range []bool{f.Stage != "", f.Type != "", len(f.Codes) > 0, f.Panic, f.Stack != ""} {
		if present {
			fields++
		}
	}
	dst = append(dst, 0x80|fields)
	optional := func(name, value string) {
		if value != "" {
			dst = appendString(appendString(dst, name), value)
		}
	}
	optional("stage", string(f.Stage))
	optional("type", f.Type)
	dst = appendString(appendString(dst, "msg"), f.Msg)
	if len(f.Codes) > 0 {
		dst = appendString(dst, "codes")
		dst = binary.BigEndian.AppendUint32(append(dst, 0xdd), uint32(len(f.Codes)))
		for _, code := range f.Codes {
			dst = appendString(dst, code)
		}
	}
	if f.Panic {
		dst = appendBool(appendString(dst, "panic"), true)
	}
	optional("stack", f.Stack)
	return dst
}

// DecodeFailure decodes what [Failure.Append] has written, or a worker that is
// not to be trusted: every bound is checked.
func DecodeFailure(data []byte) (*Failure, error) {
	f := &Failure{}
	if err := Decode(data, f); err != nil {
		return nil, fmt.Errorf("failure: %w", err)
	}
	switch f.Stage {
	case "", StageArgument, StageFunction, StageResult:
	default:
		return nil, fmt.Errorf("failure: unknown stage %q", clip(string(f.Stage), 64))
	}
	// What a cut adds to mark itself is within the bounds too.
	if len(f.Msg) > maxText || len(f.Stack) > maxText || len(f.Type) > maxType {
		return nil, fmt.Errorf("failure: a text of %d bytes is too long", max(len(f.Msg), len(f.Stack), len(f.Type)))
	}
	if len(f.Codes) > maxCodes+1 {
		return nil, fmt.Errorf("failure: %d codes are too many", len(f.Codes))
	}
	for _, code := range f.Codes {
		if len(code) > 128 {
			return nil, fmt.Errorf("failure: a code of %d bytes is too long", len(code))
		}
	}
	return f, nil
}

// clip shortens a text to most bytes, including the mark that says so.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	mark := fmt.Sprintf("… (cut from %d bytes)", len(s))
	cut := most - len(mark)
	for cut > 0 && !utf8.RuneStart(s[cut]) && cut > most-len(mark)-utf8.UTFMax {
		cut--
	}
	return s[:cut] + mark
}
