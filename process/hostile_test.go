//go:build unix

package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// scriptEnv says what a hostile worker does.
const scriptEnv = "PROCESS_TEST_SCRIPT"

// villain is the worker's end of a link.
type villain struct {
	in    *ipc.Reader
	out   *os.File
	hello *ipc.Hello
}

func (v *villain) raw(p []byte) { v.out.Write(p) }

func (v *villain) send(bodies ...[]byte) {
	for _, b := range bodies {
		v.raw(ipc.AppendFrame(nil, b))
	}
}

// ready answers hello.
func (v *villain) ready(change ...func(*ipc.Ready)) {
	r := &ipc.Ready{Nonce: v.hello.Nonce, Version: ipc.Version, PID: uint64(os.Getpid()), Window: 1, Threads: 1,
		Credit: ipc.DefaultCredit, Capabilities: []ipc.Capability{ipc.CapCancel, ipc.CapCredit}, Program: "villain"}
	for _, f := range change {
		f(r)
	}
	v.send(ipc.AppendReady(nil, r))
}

// job waits for the first frame after hello.
func (v *villain) job() ipc.Message {
	b, err := v.in.Next()
	if err != nil {
		os.Exit(98)
	}
	m, err := ipc.Parse(bytes.Clone(b))
	if err != nil {
		os.Exit(97)
	}
	return m
}

// answer is the result of a task that returns 144.
func answer(id uint64) []byte { return ipc.AppendResult(nil, id, ipc.StatusOK, []byte{0xcc, 144}) }

// untilStop reads until the supervisor needs nothing more.
func (v *villain) untilStop() {
	for {
		b, err := v.in.Next()
		if err != nil {
			return
		}
		if m, err := ipc.Parse(b); err == nil && m.Kind == ipc.KindStop {
			return
		}
	}
}

type plot struct {
	play func(*villain)
	is   error // in the outcome; nil = the result is 144
	code int   // exit code of the process; -9 = it was killed
	says string
	arg  int // bytes of the argument, 0 = a small one
	opts []Option
}

var plots = map[string]plot{
	"behaves": {play: func(v *villain) { v.ready(); v.job(); v.send(answer(1)); v.untilStop() }},
	"no caps": {play: func(v *villain) {
		v.ready(func(r *ipc.Ready) { r.Capabilities, r.Credit = nil, 0 })
		v.job()
		v.send(answer(1))
		v.untilStop()
	}},
	"chatters":     {play: chatter},
	"text":         {play: func(v *villain) { v.ready(); v.job(); v.raw([]byte("hello, world\n")); v.untilStop() }, is: ipc.ErrProtocol, code: -9, says: "protocol violation"},
	"zeros":        {play: func(v *villain) { v.ready(); v.raw(make([]byte, 64)); v.untilStop() }, is: ipc.ErrProtocol, code: -9, says: "frame of 0 bytes"},
	"huge length":  {play: func(v *villain) { v.ready(); v.raw([]byte{0xff, 0xff, 0xff, 0xff}); v.untilStop() }, is: ipc.ErrProtocol, code: -9, says: "4294967295 bytes"},
	"unknown kind": {play: func(v *villain) { v.ready(); v.send([]byte{0x92, 0x63, 0x00}); v.untilStop() }, is: ipc.ErrProtocol, code: -9},
	"wrong side":   {play: func(v *villain) { v.ready(); v.send(ipc.AppendStop(nil)); v.untilStop() }, is: ipc.ErrProtocol, code: -9, says: "not for a supervisor"},
	"two answers":  {play: func(v *villain) { v.ready(); v.job(); v.send(answer(1), answer(1)); hang() }, is: ipc.ErrProtocol, code: -9, says: "answered before"},
	"wrong job":    {play: func(v *villain) { v.ready(); v.job(); v.send(answer(2)); v.untilStop() }, is: ipc.ErrProtocol, code: -9, says: "job 2, which it has not been given"},
	"too early": {play: func(v *villain) {
		v.ready(func(r *ipc.Ready) { r.Credit = ipc.MaxInline })
		v.job()
		v.send(answer(1))
		v.untilStop()
	}, is: ipc.ErrProtocol, code: -9, says: "not been given", arg: 1 << 20},
	"bad failure": {play: func(v *villain) {
		v.ready()
		v.job()
		v.send(ipc.AppendResult(nil, 1, ipc.StatusFailed, []byte{0xdd, 0xff, 0xff, 0xff, 0xff}))
		v.untilStop()
	}, is: ipc.ErrProtocol, code: -9, says: "failure"},
	"stray data":   {play: func(v *villain) { v.ready(); v.job(); v.send(ipc.AppendData(nil, 1, []byte("x"))); v.untilStop() }, is: ipc.ErrProtocol, code: -9},
	"too much":     {play: func(v *villain) { v.ready(); v.job(); v.send(sized(ipc.MaxMessage + 1)); v.untilStop() }, is: ipc.ErrProtocol, code: -9},
	"credit":       {play: func(v *villain) { v.ready(); v.send(ipc.AppendCredit(nil, 1<<62)); v.untilStop() }, is: ipc.ErrProtocol, code: -9},
	"bad version":  {play: func(v *villain) { v.ready(func(r *ipc.Ready) { r.Version = 9 }); v.untilStop() }, is: ipc.ErrVersion, code: -9},
	"half a frame": {play: func(v *villain) { v.ready(); v.job(); v.raw([]byte{0, 0, 1, 0, 0x94}); os.Exit(4) }, is: ErrNoResult, code: 4},
	"half a result": {play: func(v *villain) {
		v.ready()
		v.job()
		v.send(sized(1<<20), ipc.AppendData(nil, 1, make([]byte, 1000)))
		os.Exit(0)
	}, is: ErrNoResult, code: 0},
	"dies early":    {play: func(*villain) { fmt.Fprintln(os.Stderr, "no license"); os.Exit(5) }, is: ipc.ErrNoReady, code: 5, says: "no license"},
	"dies after":    {play: func(v *villain) { v.ready(); v.job(); v.send(answer(1)); os.Exit(6) }, code: 6},
	"never ready":   {play: func(v *villain) { v.untilStop() }, is: ErrNotReady, code: -9, opts: []Option{WithStartTimeout(300 * time.Millisecond)}},
	"lingers":       {play: func(v *villain) { v.ready(); v.job(); v.send(answer(1)); hang() }, code: -9},
	"hangs up":      {play: func(v *villain) { v.ready(); v.job(); v.out.Close(); hang() }, is: nil, code: -9, says: "closed its link"},
	"stops reading": {play: func(v *villain) { v.ready(); v.job(); syscall.Close(boot.In); hang() }, code: -9, says: "closed its input", arg: 16 << 20},
	"asks a lot":    {play: func(v *villain) { v.ready(); v.job(); flood(v); v.send(answer(1)); v.untilStop() }},
	"gives it back": {play: func(v *villain) {
		v.ready()
		v.job()
		v.send(ipc.AppendResult(nil, 1, ipc.StatusRecalled, []byte{0xc0}))
		v.untilStop()
	}, is: ErrNoResult, code: 0},
	"wrong type": {play: func(v *villain) {
		v.ready()
		v.job()
		v.send(ipc.AppendResult(nil, 1, ipc.StatusOK, []byte{0xa1, 'x'}))
		v.untilStop()
	}, code: 0},
}

// hang never returns; a select without cases would be found to be a deadlock.
func hang() {
	for {
		time.Sleep(time.Hour)
	}
}

// sized announces a result of n bytes.
func sized(n int) []byte { return ipc.AppendResult(nil, 1, ipc.StatusOK, make([]byte, n)) }

// chatter uses all that a worker may say.
func chatter(v *villain) {
	v.raw([]byte("printed while it started\n"))
	v.ready()
	v.job()
	v.send(ipc.AppendPing(nil, 7), ipc.AppendProgress(nil, 1, []byte{1}), ipc.AppendLog(nil, 1, ipc.LevelInfo, "hm", nil),
		ipc.AppendCall(nil, 1, "coffee", nil), ipc.AppendCall(nil, 2, "long", make([]byte, ipc.MaxInline+1)), ipc.AppendData(nil, 2, make([]byte, ipc.MaxInline)), ipc.AppendData(nil, 2, []byte{0}))
	seen := map[ipc.Kind]int{}
	for seen[ipc.KindPong] < 1 || seen[ipc.KindReply] < 2 {
		seen[v.job().Kind]++
	}
	v.send(answer(1))
	if m := v.job(); m.Kind != ipc.KindStop {
		os.Exit(96)
	}
}

// flood asks and does not read the answers.
func flood(v *villain) {
	var pings []byte
	for id := range uint64(20_000) {
		pings = ipc.AppendFrame(pings, ipc.AppendPing(nil, id))
	}
	for range 5 {
		v.raw(pings)
	}
}

var villainy = register("villain", func() int { return perform(plots[os.Getenv(scriptEnv)].play) })

// rustic is a worker that can do nothing but run one task.
var rustic = register("rustic", func() int {
	return perform(func(v *villain) {
		v.ready(func(r *ipc.Ready) { r.Capabilities = nil })
		v.job()
		fmt.Println("up")
		v.untilStop()
	})
})

// perform does what every worker does at its start, and then plays.
func perform(play func(*villain)) int {
	v := &villain{in: ipc.NewReader(os.NewFile(uintptr(boot.In), "in")), out: os.NewFile(uintptr(boot.Out), "out")}
	b, err := v.in.Next()
	if err == nil {
		v.hello, err = ipc.ParseHello(b)
	}
	if err != nil || play == nil {
		fmt.Fprintln(os.Stderr, "villain:", err)
		return 99
	}
	play(v)
	return 0
}

func TestProcess_SurvivesHostilePrograms(t *testing.T) {
	t.Parallel()
	for name, c := range plots {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout := new(buffer)
			opts := append([]Option{environ(helperEnv+"="+villainy, scriptEnv+"="+name), WithStderr(nil), WithStdout(stdout), WithKillAfter(0), WithLogger(nil)}, c.opts...)
			// None of them runs it.
			p := New(length, make([]byte, c.arg), opts...)
			start(t, p.Process)
			n, err := p.Result(within(t))
			if code, _ := p.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d (%v)", code, c.code, err)
			}
			var value *task.ValueError
			switch {
			case name == "wrong type":
				if !errors.As(err, &value) {
					t.Errorf("Result: %v, want a *task.ValueError", err)
				}
				return
			case c.is == nil && c.says == "":
				if n != 144 || err != nil {
					t.Errorf("Result = %d, %v, want 144", n, err)
				}
			case c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says):
				t.Errorf("Result: %v, want %v, %q", err, c.is, c.says)
			}
			if err := p.Join(within(t)); (err == nil) != (c.code == 0 && c.is == nil) {
				t.Errorf("Join: %v", err)
			}
			if name == "chatters" && stdout.String() != "printed while it started\n" {
				t.Errorf("stdout %q", stdout.String())
			}
		})
	}
}
