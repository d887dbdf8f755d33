package task_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/feac4032/multiproc/task"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	pair struct{ A, B int }
	//lint:ignore U1000 it is there to be of no use
	hidden       struct{ a int }
	onlyEncodes  struct{ X int }
	onlyDecodes  struct{ X int }
	crossed      struct{ X int }
	pointerChain *pointerChain
	embedsPtr    struct{ *pair }
	plain        int //lint:ignore U1000 embedded below
	//lint:ignore U1000 it is there to be refused
	embedsInt struct{ plain }
	clash     struct {
		A int `msgpack:"x"`
		B int `msgpack:"x"`
	}
	shadow struct {
		pair
		A string
	}
	aliased struct {
		A int `msgpack:",alias:B"`
		B int
	}
	interned struct {
		A string `msgpack:",intern"`
	}
)

func (onlyEncodes) MarshalText() ([]byte, error) { return nil, nil }
func (*onlyDecodes) UnmarshalText([]byte) error  { return nil }
func (crossed) MarshalText() ([]byte, error)     { return nil, nil }
func (*crossed) UnmarshalBinary(b []byte) error  { return nil }
func (hidden) String() string                    { return "" }
func define[T any](name string) func() {
	return func() { task.Define(name, func(context.Context, T) (int, error) { return 0, nil }) }
}
func defineOut[T any](name string) func() {
	return func() { task.Define(name, func(context.Context, int) (v T, _ error) { return v, nil }) }
}
func recovered(f func()) (v any) { defer func() { v = recover() }(); f(); return nil }

func TestDefine_PanicsOnWhatCannotTravel(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		define func()
		want   string
	}{
		{"channel", define[chan int]("bad"), "args: type chan int cannot travel: it has no form outside its process"},
		{"function in a result", defineOut[struct{ Done func() }]("bad"), "result.Done: type func() cannot travel"},
		{"deep", define[struct {
			Items []struct {
				By map[string]*struct{ C chan int }
			}
		}]("bad"), "args.Items[].By[].C: type chan int cannot travel"},
		{"complex", define[complex128]("bad"), "args: type complex128 cannot travel"},
		{"uintptr", define[uintptr]("bad"), "args: type uintptr cannot travel"},
		{"unsafe pointer", define[unsafe.Pointer]("bad"), "args: type unsafe.Pointer cannot travel"},
		{"interface with methods", define[struct{ E error }]("bad"), "args.E: type error cannot travel: an interface with methods cannot travel"},
		{"float keys", define[map[float64]int]("bad"), "a map's keys must be strings or integers"},
		{"any keys", define[map[any]int]("bad"), "a map's keys must be strings or integers"},
		{"struct keys", define[map[pair]int]("bad"), "a map's keys must be strings or integers"},
		{"keys with methods", define[map[textID]int]("bad"), "the key type task_test.textID encodes itself"},
		{"values with pointer methods", define[map[string]selfEncoder]("bad"), "use a map of pointers"},
		{"no exported field", define[struct{ H hidden }]("bad"), "args.H: type task_test.hidden cannot travel: it has no exported fields"},
		{"mutex", define[struct{ Mu sync.Mutex }]("bad"), "args.Mu: type sync.Mutex cannot travel: it has no exported fields"},
		{"half an encoding", define[onlyEncodes]("bad"), "it has MarshalText but no counterpart that decodes"},
		{"other half", define[onlyDecodes]("bad"), "it has UnmarshalText but no counterpart that encodes"},
		{"two encodings", define[crossed]("bad"), "it is encoded by MarshalText but decoded by UnmarshalBinary"},
		{"pointer to pointer", define[**int]("bad"), "a pointer to a pointer"},
		{"endless pointer", define[pointerChain]("bad"), "a pointer to a pointer"},
		{"embedded pointer", define[embedsPtr]("bad"), "args.pair: an embedded pointer cannot be inlined"},
		{"embedded unexported", define[embedsInt]("bad"), "args.plain: an unexported embedded field cannot travel"},
		{"one name twice", define[clash]("bad"), `args.B: a second field named "x"`},
		{"shadowed too late", define[shadow]("bad"), `args.A: a second field named "A"`},
		{"alias of another", define[aliased]("bad"), `args.B: a second field named "B"`},
		{"interned", define[interned]("bad"), "args.A: interned values are not supported"},
		{"empty name", define[int](""), `task.Define(""): not a valid name`},
		{"name with a space", define[int]("a b"), "not a valid name"},
		{"name with a newline", define[int]("a\n"), "not a valid name"},
		{"name that starts with a digit", define[int]("1a"), "not a valid name"},
		{"long name", define[int](strings.Repeat("a", 129)), "not a valid name"},
		{"same name", define[int]("test.double"), `task.Define("test.double"): defined twice`},
		{"no function", func() { task.Define[int, int]("bad", nil) }, "nil function"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// A second time, the answer comes from the cache.
			for range 2 {
				text, _ := recovered(tt.define).(string)
				if !strings.HasPrefix(text, "task.Define(") || !strings.Contains(text, tt.want) {
					t.Errorf("panicked with %q, want it to say %q", text, tt.want)
				}
			}
		})
	}
	if _, ok := task.Lookup("bad"); ok {
		t.Error("a bad task is registered")
	}
}

var (
	double    = task.Define("test.double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	errBusy   = errors.New("busy")
	misbehave = task.Define("test.misbehave", func(_ context.Context, how string) (any, error) {
		switch how {
		case "error":
			return nil, &fs.PathError{Op: "open", Path: "/x", Err: errBusy}
		case "panic":
			panic("boom")
		case "panic nil":
			panic(nil)
		case "panic error":
			panic(errBusy)
		case "nil map":
			writeTo(nil)
		case "index":
			return indexBeyond(nil), nil
		case "nil pointer":
			return (*pair)(nil).A, nil
		case "goexit":
			runtime.Goexit()
		case "result":
			return []any{make(chan int)}, nil
		}
		return how, nil
	})
)

func writeTo(m map[string]int) { m["x"] = 1 }

//go:noinline
func indexBeyond(s []int) int { return s[3] }

func TestRun_CallsTheTask(t *testing.T) {
	t.Parallel()
	arg, err := double.EncodeIn(nil, 21)
	if err != nil {
		t.Fatal(err)
	}
	def, ok := task.Lookup("test.double")
	if !ok || def.Name() != double.Name() {
		t.Fatal("not found")
	}
	for _, run := range []func(context.Context, []byte, []byte) ([]byte, error){def.Run, def.RunInPlace} {
		out, err := run(t.Context(), arg, []byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		rest, ok := bytes.CutPrefix(out, []byte("before"))
		if !ok {
			t.Fatalf("dst was overwritten: %q", out)
		}
		if n, err := double.DecodeOut(rest); n != 42 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	}
	if names := task.Names(); !slices.IsSorted(names) || !slices.Contains(names, "test.double") {
		t.Errorf("names are %v", names)
	}
}

func TestRun_ReportsWhateverTheTaskDoes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		how       string
		stage     task.Stage
		text      string
		panicked  bool
		typ       string
		firstLine string // how the stack begins
	}{
		{how: "error", stage: task.StageFunction, text: "task test.misbehave: open /x: busy", typ: "*fs.PathError"},
		{how: "panic", stage: task.StageFunction, text: "task test.misbehave: panic: boom", panicked: true, typ: "string", firstLine: "task_test.init"},
		{how: "panic nil", stage: task.StageFunction, text: "panic called with nil argument", panicked: true, typ: "*runtime.PanicNilError", firstLine: "task_test.init"},
		{how: "panic error", stage: task.StageFunction, text: "task test.misbehave: panic: busy", panicked: true, typ: "*errors.errorString", firstLine: "task_test.init"},
		{how: "nil map", stage: task.StageFunction, text: "assignment to entry in nil map", panicked: true, typ: "runtime.plainError", firstLine: "task_test.writeTo"},
		{how: "index", stage: task.StageFunction, text: "index out of range [3] with length 0", panicked: true, typ: "runtime.boundsError", firstLine: "task_test.indexBeyond"},
		{how: "nil pointer", stage: task.StageFunction, text: "nil pointer dereference", panicked: true, typ: "runtime.errorString", firstLine: "task_test.init"},
		{how: "goexit", stage: task.StageFunction, text: "task test.misbehave: task called runtime.Goexit", typ: "*errors.errorString"},
		{how: "result", stage: task.StageResult, text: "task test.misbehave: result: encode result[0]: type chan int cannot travel", typ: "*task.ValueError"},
	}
	def, _ := task.Lookup("test.misbehave")
	for _, tt := range tests {
		t.Run(tt.how, func(t *testing.T) {
			t.Parallel()
			arg, err := misbehave.EncodeIn(nil, tt.how)
			if err != nil {
				t.Fatal(err)
			}
			out, err := def.Run(t.Context(), arg, []byte("before"))
			if err == nil {
				t.Fatal("no error")
			}
			if string(out) != "before" {
				t.Errorf("dst became %q", out)
			}
			var staged *task.StageError
			if !errors.As(err, &staged) || staged.Stage != tt.stage || staged.Task != "test.misbehave" {
				t.Errorf("error is %#v", err)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("text is %q, want %q", err, tt.text)
			}
			f := task.NewFailure(err)
			if f.Panic != tt.panicked || f.Type != tt.typ || f.Stage != tt.stage {
				t.Errorf("failure is %+v", f)
			}
			if first, _, _ := strings.Cut(f.Stack, "\n"); !strings.Contains(first, tt.firstLine) || (first != "") != tt.panicked {
				t.Errorf("stack begins with %q, want %q:\n%s", first, tt.firstLine, f.Stack)
			}
			if strings.Contains(f.Stack, "/task/run.go") || strings.Contains(f.Stack, "task.Define") {
				t.Errorf("the stack shows the machinery:\n%s", f.Stack)
			}
			if tt.how == "panic error" && !errors.Is(err, errBusy) {
				t.Error("the panic's error is lost")
			}
		})
	}
}

func TestRun_DoesNotCallTheTaskWithABadArgument(t *testing.T) {
	t.Parallel()
	def, _ := task.Lookup("test.misbehave")
	_, err := def.Run(t.Context(), []byte{0x05}, nil)
	if want := "task test.misbehave: argument: decode args: integer 5 does not fit string"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

type explosive struct{}

func (explosive) MarshalText() ([]byte, error) { panic("in MarshalText") }
func (*explosive) UnmarshalText([]byte) error  { panic("in UnmarshalText") }

var explode = task.Define("test.explode", func(_ context.Context, in *explosive) (explosive, error) { return explosive{}, nil })

func TestRun_RecoversPanicsOfEncodingMethods(t *testing.T) {
	t.Parallel()
	def, _ := task.Lookup(explode.Name())
	for payload, stage := range map[string]task.Stage{"\xa0": task.StageArgument, "\xc0": task.StageResult} {
		_, err := def.Run(t.Context(), []byte(payload), nil)
		f := task.NewFailure(err)
		if !f.Panic || f.Stage != stage || !strings.Contains(f.Stack, "explosive") {
			t.Errorf("failure is %+v", f)
		}
	}
}

func TestRunInPlace_LeavesGoexitToItsCaller(t *testing.T) {
	t.Parallel()
	def, _ := task.Lookup("test.misbehave")
	arg, err := misbehave.EncodeIn(nil, "goexit")
	if err != nil {
		t.Fatal(err)
	}
	returned := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = def.RunInPlace(context.Background(), arg, nil)
		returned = true
	}()
	<-done
	if returned {
		t.Error("it returned")
	}
}

func TestRun_HandsTheContextOn(t *testing.T) {
	t.Parallel()
	def, _ := task.Lookup(waits.Name())
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := def.Run(ctx, []byte{0x80}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
}

var waits = task.Define("test.waits", func(ctx context.Context, _ struct{}) (struct{}, error) {
	<-ctx.Done()
	return struct{}{}, ctx.Err()
})

func TestTask_ZeroNamesNothing(t *testing.T) {
	t.Parallel()
	var zero task.Task[int, int]
	if zero.Name() != "" {
		t.Error("it has a name")
	}
	if _, err := zero.EncodeIn(nil, 1); err == nil {
		t.Error("it encodes")
	}
	if _, err := zero.DecodeOut([]byte{1}); err == nil {
		t.Error("it decodes")
	}
}

func TestTask_ErrorsNameTheSide(t *testing.T) {
	t.Parallel()
	if _, err := double.DecodeOut([]byte{0xa0}); err == nil || err.Error() != "decode result: string does not fit int" {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat("/nonexistent"); !errors.Is(task.NewFailure(err), fs.ErrNotExist) {
		t.Error("a standard sentinel is lost")
	}
}

type panicsWhenDecoded struct{ Text string }

func (p panicsWhenDecoded) MarshalText() ([]byte, error) { return []byte(p.Text), nil }

func (p *panicsWhenDecoded) UnmarshalText(text []byte) error { panic(io.ErrUnexpectedEOF) }

var returnsPanic = task.Define("test.panicswhendecoded", func(context.Context, int) (panicsWhenDecoded, error) {
	return panicsWhenDecoded{"x"}, nil
})

func TestDecodeOut_APanicIsAnErrorWithItsStack(t *testing.T) {
	t.Parallel()
	def, _ := task.Lookup(returnsPanic.Name())
	result, err := def.Run(t.Context(), []byte{1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := returnsPanic.DecodeOut(result)
	var panicked *task.PanicError
	var value *task.ValueError
	if !errors.As(err, &panicked) || !errors.As(err, &value) || !errors.Is(err, io.ErrUnexpectedEOF) || out.Text != "" {
		t.Fatalf("%v, %v", out, err)
	}
	if err.Error() != "decode result: panic: unexpected EOF" {
		t.Errorf("error %q", err)
	}
	if !strings.Contains(panicked.Stack, "UnmarshalText") || strings.Contains(panicked.Stack, "TestDecodeOut") {
		t.Errorf("stack:\n%s", panicked.Stack)
	}
}
