package pool_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/internal/faulttest"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/pool"
)

// faults is the corpus: deaths, then what goes over the link and the shared
// page, then output. Those of msgpack are added below, and those of jobs of many
// items in a file of their own.
var faults = slicesOf(deaths, streams, answers, floods, lies, outputs, arenas, payloads(), chunks())

func slicesOf(groups ...[]fault) (all []fault) {
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// short gives the job a timeout, for workers that would go on for ever.
func short(j *pool.Job) { j.Timeout = 150 * time.Millisecond }

var deaths = []fault{
	{name: "exit before ready", want: pool.OK, evidence: "exited with code 3 before it was ready: no model",
		play: func(*faulttest.Worker) { fmt.Fprintln(os.Stderr, "no model"); os.Exit(3) }},
	{name: "crash loop at start", want: pool.Internal, which: pool.WhichStart, behind: pool.Internal, always: true, evidence: "restart limit reached",
		play: func(*faulttest.Worker) { os.Exit(3) }},
	{name: "exit 0 without a result", want: pool.Crashed, evidence: "exited with code 0 under the job",
		play: func(f *faulttest.Worker) { f.Begin() }},
	{name: "exit after the result", want: pool.OK, evidence: "exited with code 5",
		play: func(f *faulttest.Worker) { f.Answer(f.BeginPaged()); os.Exit(5) }},
	{name: "result in the ring, then SIGKILL", want: pool.OK, evidence: "SIGKILL",
		play: func(f *faulttest.Worker) {
			m := f.BeginPaged()
			f.Publish(ipc.AppendFrame(nil, ipc.AppendResult(nil, m.ID, ipc.StatusOK, m.Body)))
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}},
	{name: "half of the result in the ring, then SIGKILL", want: pool.Crashed, evidence: "SIGKILL, sender unknown",
		play: func(f *faulttest.Worker) {
			m := f.BeginPaged()
			b := ipc.AppendFrame(nil, ipc.AppendResult(nil, m.ID, ipc.StatusOK, m.Body))
			f.Publish(b[:len(b)-1])
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}},
	{name: "stopped under the job", want: pool.TimedOut, evidence: "timeout of 150ms", job: short,
		play: func(f *faulttest.Worker) { f.Begin(); faulttest.Stop() }},
	{name: "stopped before the job starts", want: pool.TimedOut, evidence: "timeout of 150ms", job: short,
		play: func(f *faulttest.Worker) { f.ReadyPaged(); faulttest.Stop() }},
	{name: "hangs", want: pool.TimedOut, evidence: "timeout of 150ms", job: short,
		play: func(f *faulttest.Worker) { f.Begin(); faulttest.Hang() }},
	{name: "ignores SIGTERM", want: pool.TimedOut, evidence: "was killed", job: short,
		play: func(f *faulttest.Worker) { signal.Ignore(syscall.SIGTERM); f.Begin(); faulttest.Hang() },
		check: func(v *verdict, r *pool.Result) {
			if r.Signal != int(syscall.SIGKILL) {
				v.errorf("ended by signal %d", r.Signal)
			}
		}},
	{name: "abort", want: pool.Crashed, evidence: "SIGABRT: assertion failed",
		play: func(f *faulttest.Worker) {
			f.Begin()
			fmt.Fprintln(os.Stderr, "assertion failed")
			faulttest.DieOf(syscall.SIGABRT)
		}},
	{name: "segmentation fault", want: pool.Crashed, evidence: "SIGSEGV",
		play: func(f *faulttest.Worker) { f.Begin(); faulttest.DieOf(syscall.SIGSEGV) }},
	{name: "fatal error of the runtime", want: pool.Crashed, which: pool.WhichFatal, evidence: "fatal error: sync: unlock of unlocked mutex",
		play: func(f *faulttest.Worker) { f.Begin(); new(sync.Mutex).Unlock() }},
	{name: "panic outside of the task", want: pool.Crashed, which: pool.WhichPanic, evidence: "panic: aargh",
		play: func(f *faulttest.Worker) { f.Begin(); go panic("aargh"); faulttest.Hang() }},
	{name: "a job that is too much before it starts", want: pool.Crashed, evidence: "exited with code 7 under the job", always: true,
		play: func(f *faulttest.Worker) {
			f.ReadyPaged()
			for {
				m := f.Job()
				if string(m.Label) == "first" {
					os.Exit(7)
				}
				f.Page.SetStarted(0, m.ID)
				f.Answer(m)
			}
		}},
	{name: "a daemon keeps the link open", want: pool.Crashed, evidence: "exited with code 0 under the job",
		play: func(f *faulttest.Worker) { f.Begin(); daemon(f) }},
	{name: "a daemon keeps the link open before ready", want: pool.OK, evidence: "exited with code 0 before it was ready",
		play: func(f *faulttest.Worker) { daemon(f) }},
	{name: "a daemon keeps a large job's link open", want: pool.Crashed, evidence: "exited with code 0 under the job", job: large, memory: 8 << 20,
		play: func(f *faulttest.Worker) { f.Begin(); daemon(f) }},
	{name: "closes its output and goes on", want: pool.Protocol, evidence: "closed its end of the link and went on",
		play: func(f *faulttest.Worker) { f.Begin(); f.Out.Close(); faulttest.Hang() }},
	{name: "closes its input and goes on", want: pool.Protocol, evidence: "closed its end of the link and went on", job: large, memory: 8 << 20,
		play: func(f *faulttest.Worker) { f.Begin(); syscall.Close(boot.In); faulttest.Hang() }},
}

// large gives the job a payload that no pipe holds.
func large(j *pool.Job) {
	j.Task = echo.Name()
	j.Payload, _ = echo.EncodeIn(nil, make([]byte, ipc.MaxMessage-16))
}

// daemon starts a process that outlives the worker.
func daemon(f *faulttest.Worker) { f.Daemon(filepath.Join(os.Getenv(faultDirEnv), "daemon")) }

// hurried makes a frame's time 200 times shorter.
func hurried(c *pool.Config) {
	c.SetFrameTime(func(d time.Duration) time.Duration { return d / 200 })
}

// writes is a worker that answers its first job with these bytes and goes on.
func writes(b []byte) func(*faulttest.Worker) {
	return func(f *faulttest.Worker) { f.Begin(); f.Raw(b); faulttest.Hang() }
}

var streams = []fault{
	{name: "text on the link", want: pool.Protocol, evidence: "frame of ", play: writes([]byte("processing item 17 of 400\n"))},
	{name: "zeros on the link", want: pool.Protocol, evidence: "frame of 0 bytes", play: writes(make([]byte, 1<<16))},
	{name: "noise on the link", want: pool.Protocol, evidence: "frame of ", play: writes(faulttest.Noise(1 << 20))},
	{name: "length 0", want: pool.Protocol, evidence: "frame of 0 bytes", play: writes(faulttest.Head(0))},
	{name: "length over the cap", want: pool.Protocol, evidence: "frame of 1048577 bytes", play: writes(faulttest.Head(ipc.MaxFrame + 1))},
	{name: "length of 4 GiB", want: pool.Protocol, evidence: "frame of 4294967295 bytes", play: writes(faulttest.Head(1<<32 - 1))},
	{name: "half a frame, then death", want: pool.Crashed, evidence: "exited with code 6 under the job",
		play: func(f *faulttest.Worker) {
			f.Begin()
			f.Raw(append(faulttest.Head(1<<20), faulttest.Noise(1<<19)...))
			os.Exit(6)
		}},
	{name: "half a frame, then silence", want: pool.Protocol, evidence: "frame did not end within", config: hurried,
		play: writes(append(faulttest.Head(1000), make([]byte, 500)...))},
	{name: "half a head, then silence", want: pool.Protocol, evidence: "frame did not end within", config: hurried,
		play: writes([]byte{0, 0})},
	{name: "half of ready, then silence", want: pool.OK, evidence: "not ready within", config: func(c *pool.Config) { c.Program.StartTimeout = startLimit },
		play: func(f *faulttest.Worker) {
			b := ipc.AppendFrame(nil, f.ReadyBody(nil))
			f.Raw(b[:len(b)-1])
			faulttest.Hang()
		}},
	{name: "one byte at a time", want: pool.OK,
		play: func(f *faulttest.Worker) {
			slowly := func(body []byte) {
				for _, b := range ipc.AppendFrame(nil, body) {
					f.Raw([]byte{b})
					time.Sleep(time.Millisecond)
				}
			}
			slowly(f.ReadyBody(nil))
			m := f.Job()
			slowly(ipc.AppendResult(nil, m.ID, ipc.StatusOK, m.Body))
			f.Serve()
		}},
	{name: "kind 99", want: pool.Protocol, evidence: "no such kind", play: writes(ipc.AppendFrame(nil, []byte{0x93, 99, 1, 1}))},
	{name: "kind of a supervisor", want: pool.Protocol, evidence: "job frame: not for a supervisor",
		play: writes(ipc.AppendFrame(nil, ipc.AppendJob(nil, 1, "noop", 1, 0, "", "", []byte{1})))},
	{name: "ready again", want: pool.Protocol, evidence: "ready frame: out of place",
		play: func(f *faulttest.Worker) { f.Begin(); f.Ready(); faulttest.Hang() }},
	{name: "another version in ready", want: pool.OK, evidence: "worker answers with 2",
		play: func(f *faulttest.Worker) { f.Send(f.ReadyBody(func(r *ipc.Ready) { r.Version = 2 })); faulttest.Hang() }},
	{name: "another nonce in ready", want: pool.OK, evidence: "not ready within", config: func(c *pool.Config) { c.Program.StartTimeout = startLimit },
		play: func(f *faulttest.Worker) { f.Send(f.ReadyBody(func(r *ipc.Ready) { r.Nonce[3]++ })); faulttest.Hang() }},
	{name: "prints its input", want: pool.OK, evidence: "nonce in something else",
		play: func(f *faulttest.Worker) { f.Greet(); f.Raw(ipc.AppendHello(nil, f.Hello)); faulttest.Hang() }},
	{name: "floods the link before ready", want: pool.OK, evidence: "not ready within", config: func(c *pool.Config) { c.Program.StartTimeout = startLimit },
		play: func(f *faulttest.Worker) {
			for text := faulttest.Noise(1 << 16); ; {
				f.Raw(text)
			}
		}},
}

var answers = []fault{
	{name: "result twice", want: pool.OK, evidence: "for job 1, which it has answered before",
		play: func(f *faulttest.Worker) {
			m := f.BeginPaged()
			b := ipc.AppendFrame(nil, ipc.AppendResult(nil, m.ID, ipc.StatusOK, m.Body))
			f.Raw(append(b, b...))
			faulttest.Hang()
		}},
	{name: "result of a finished job", want: pool.OK, evidence: "for job 1, which it has answered before",
		play: func(f *faulttest.Worker) {
			m := f.BeginPaged()
			f.Answer(m)
			f.Job()
			f.Answer(m)
			faulttest.Hang()
		}},
	{name: "result of an unknown job", want: pool.Protocol, evidence: "for job 18446744073709551615, which it has not been given",
		play: func(f *faulttest.Worker) { m := f.Begin(); m.ID = 1<<64 - 1; f.Answer(m); faulttest.Hang() }},
	{name: "result of a job not yet sent", want: pool.Protocol, evidence: "for job 2, which it has not been given",
		play: func(f *faulttest.Worker) { m := f.Begin(); m.ID = 2; f.Answer(m); faulttest.Hang() }},
	{name: "result of a job that is half sent", want: pool.Protocol, evidence: "for job 1, which it has not been given", job: large, memory: 8 << 20,
		play: func(f *faulttest.Worker) { m := f.Begin(); m.Body = []byte{1}; f.Answer(m); faulttest.Hang() }},
	{name: "gives the job back and goes on", want: pool.OK, evidence: "gave its jobs back, unasked, and went on",
		play: func(f *faulttest.Worker) {
			f.ReadyPaged()
			f.Send(ipc.AppendResult(nil, f.Job().ID, ipc.StatusRecalled, nil))
			faulttest.Hang()
		}},
	{name: "gives every job back", want: pool.Internal, which: pool.WhichStart, behind: pool.Internal, always: true, evidence: "restart limit reached",
		play: func(f *faulttest.Worker) {
			f.ReadyPaged()
			f.Send(ipc.AppendResult(nil, f.Job().ID, ipc.StatusRecalled, nil))
		}},
	{name: "chunk of an id that is not open", want: pool.Protocol, evidence: "chunk for id 1, which is not open",
		play: func(f *faulttest.Worker) {
			m := f.Begin()
			f.Send(ipc.AppendData(nil, m.ID, []byte{1}))
			faulttest.Hang()
		}},
	{name: "more chunks than announced", want: pool.Protocol, evidence: "more than the 70000 bytes that were announced",
		play: func(f *faulttest.Worker) {
			m := f.Begin()
			f.Send(ipc.AppendResult(nil, m.ID, ipc.StatusOK, make([]byte, 70000)))
			f.Send(ipc.AppendData(nil, m.ID, make([]byte, ipc.MaxInline)))
			f.Send(ipc.AppendData(nil, m.ID, make([]byte, ipc.MaxInline)))
			faulttest.Hang()
		}},
	{name: "two payloads at a time", want: pool.Protocol, evidence: "begins before that of result 1 is complete",
		play: func(f *faulttest.Worker) {
			m := f.Begin()
			f.Send(ipc.AppendResult(nil, m.ID, ipc.StatusOK, make([]byte, 70000)))
			f.Send(ipc.AppendCall(nil, 1, "x", make([]byte, 70000)))
			faulttest.Hang()
		}},
	{name: "call with arguments that are none", want: pool.Protocol, evidence: "bad arguments of lock.acquire",
		config: func(c *pool.Config) { c.Manager = manager.New() },
		play: func(f *faulttest.Worker) {
			f.Begin()
			f.Send(ipc.AppendCall(nil, 1, "lock.acquire", []byte{0xc1}))
			faulttest.Hang()
		}},
	{name: "post whose payload follows", want: pool.Protocol, evidence: "a post whose payload follows",
		play: func(f *faulttest.Worker) {
			f.Begin()
			f.Send(ipc.AppendCall(nil, 0, "x", make([]byte, 70000)))
			faulttest.Hang()
		}},
	{name: "result of 4 EiB", want: pool.Protocol, evidence: "payload of 4611686018427387904 bytes",
		play: func(f *faulttest.Worker) { m := f.Begin(); f.Send(faulttest.Announce(m.ID, 1<<62)); faulttest.Hang() }},
	{name: "result over the cap", want: pool.Protocol, evidence: "payload of 67108865 bytes",
		play: func(f *faulttest.Worker) {
			m := f.Begin()
			f.Send(faulttest.Announce(m.ID, ipc.MaxMessage+1))
			faulttest.Hang()
		}},
	{name: "large result that does not come", want: pool.Crashed, evidence: "exited with code 0 under the job",
		play: func(f *faulttest.Worker) {
			m := f.Begin()
			f.Send(faulttest.Announce(m.ID, ipc.MaxMessage))
			f.Send(ipc.AppendData(nil, m.ID, make([]byte, ipc.MaxInline)))
		}},
	{name: "largest result", want: pool.OK, memory: 4 * ipc.MaxMessage,
		play: func(f *faulttest.Worker) {
			m := f.Begin()
			b := append([]byte{0xc6}, faulttest.Head(ipc.MaxMessage-5)...)
			b = append(b, make([]byte, ipc.MaxMessage-5)...)
			f.Send(faulttest.Announce(m.ID, uint64(len(b))))
			for ; len(b) > 0; b = b[min(len(b), ipc.MaxInline):] {
				f.Send(ipc.AppendData(nil, m.ID, b[:min(len(b), ipc.MaxInline)]))
			}
			f.Serve()
		},
		check: func(v *verdict, r *pool.Result) {
			if len(r.Value) != ipc.MaxMessage {
				v.errorf("%d bytes arrived", len(r.Value))
			}
		}},
	{name: "chunks of one byte", want: pool.OK,
		play: func(f *faulttest.Worker) {
			m := f.Begin()
			const n = 100000
			value := append(append([]byte{0xc6}, faulttest.Head(n-5)...), make([]byte, n-5)...)
			f.Send(faulttest.Announce(m.ID, n))
			var frames []byte
			for i := range value {
				frames = ipc.AppendFrame(frames, ipc.AppendData(nil, m.ID, value[i:i+1]))
			}
			f.Raw(frames)
			f.Serve()
		},
		check: func(v *verdict, r *pool.Result) {
			if len(r.Value) != 100000 {
				v.errorf("%d bytes arrived", len(r.Value))
			}
		}},
}

// floodsWith is a worker that sends the same frame for ever under its first job,
// and reads nothing.
func floodsWith(frame func(id uint64) []byte, caps ...ipc.Capability) func(*faulttest.Worker) {
	return func(f *faulttest.Worker) {
		f.Ready(caps...)
		m := f.Job()
		many := bytes.Repeat(ipc.AppendFrame(nil, frame(m.ID)), 100)
		for {
			f.Raw(many)
		}
	}
}

var floods = []fault{
	{name: "floods with log lines", want: pool.TimedOut, evidence: "timeout of 150ms", job: short,
		config: func(c *pool.Config) { c.OnLog = func(pool.LogEvent) {} },
		play: floodsWith(func(id uint64) []byte {
			return ipc.AppendLog(nil, id, ipc.LevelInfo, strings.Repeat("x", 1000), nil)
		})},
	{name: "floods with progress", want: pool.TimedOut, evidence: "timeout of 150ms", job: short,
		play: floodsWith(func(id uint64) []byte { return ipc.AppendProgress(nil, id, []byte{1}) })},
	{name: "floods with pings", want: pool.TimedOut, evidence: "timeout of 700ms",
		job:  func(j *pool.Job) { j.Timeout = 700 * time.Millisecond }, // time for the pongs to pile up
		play: floodsWith(func(id uint64) []byte { return ipc.AppendPing(nil, id) })},
	{name: "floods with calls", want: pool.TimedOut, evidence: "timeout of 150ms", job: short,
		play: floodsWith(func(id uint64) []byte { return ipc.AppendCall(nil, id, strings.Repeat("x", ipc.MaxName), []byte{1}) })},
	{name: "floods with output frames", want: pool.Limited, which: pool.WhichOutput, evidence: "wrote more than 8388608 bytes",
		config: func(c *pool.Config) { c.MaxOutput = 8 << 20 },
		play:   floodsWith(func(id uint64) []byte { return ipc.AppendOutput(nil, id, 1, make([]byte, ipc.MaxInline)) })},
	{name: "grants credit without end", want: pool.Protocol, evidence: "credit frame: ",
		play: func(f *faulttest.Worker) {
			f.Send(f.ReadyBody(func(r *ipc.Ready) { r.Credit = 1 << 16 }, ipc.CapCredit))
			f.Job()
			for {
				f.Send(ipc.AppendCredit(nil, 1<<63))
			}
		}},
	{name: "stops reading under a large job", want: pool.TimedOut, evidence: "timeout of 150ms", memory: 8 << 20,
		job:  func(j *pool.Job) { short(j); large(j) },
		play: func(f *faulttest.Worker) { f.Begin(); faulttest.Hang() }},
	{name: "stops reading under a large job, with page", want: pool.TimedOut, evidence: "timeout of 150ms", memory: 8 << 20,
		job:  func(j *pool.Job) { short(j); large(j) },
		play: func(f *faulttest.Worker) { f.ReadyPaged(); f.Job(); faulttest.Hang() }},
	{name: "never grants credit", want: pool.TimedOut, evidence: "timeout of 150ms", memory: 8 << 20,
		job: func(j *pool.Job) { short(j); large(j) },
		play: func(f *faulttest.Worker) {
			f.Send(f.ReadyBody(func(r *ipc.Ready) { r.Credit = 1 << 16 }, ipc.CapCredit))
			for {
				f.Job()
			}
		}},
}

var lies = []fault{
	{name: "started 2^63", want: pool.Crashed, evidence: "exited with code 0 under the job",
		play: func(f *faulttest.Worker) { f.ReadyPaged(); f.Job(); f.Page.SetStarted(0, 1<<63) }},
	{name: "started 2^63 and works", want: pool.OK,
		play: func(f *faulttest.Worker) {
			f.ReadyPaged()
			for {
				m := f.Job()
				f.Page.SetStarted(0, 1<<63)
				f.Answer(m)
			}
		}},
	{name: "started never and works", want: pool.OK,
		play: func(f *faulttest.Worker) {
			f.ReadyPaged()
			for {
				f.Answer(f.Job())
			}
		}},
	{name: "end far ahead", want: pool.Crashed, evidence: "exited with code 0 under the job",
		play: func(f *faulttest.Worker) { f.BeginPaged(); f.Page.SetEnd(1<<64 - 1) }},
	{name: "end behind", want: pool.Crashed, evidence: "exited with code 0 under the job",
		play: func(f *faulttest.Worker) { f.BeginPaged(); f.Page.SetEnd(1) }},
	{name: "garbage in the ring", want: pool.Protocol, evidence: "frame of ",
		play: func(f *faulttest.Worker) { f.BeginPaged(); f.Publish(faulttest.Noise(100000)) }},
	{name: "a ring full of zeros", want: pool.Protocol, evidence: "frame of 0 bytes",
		play: func(f *faulttest.Worker) { f.BeginPaged(); f.Page.SetEnd(f.Wrote + ipc.RingSize) }},
	{name: "a ring of results", want: pool.OK, evidence: "which it has answered before",
		play: func(f *faulttest.Worker) {
			m := f.BeginPaged()
			f.Publish(bytes.Repeat(ipc.AppendFrame(nil, ipc.AppendResult(nil, m.ID, ipc.StatusOK, m.Body)), 1000))
		}},
	{name: "page overwritten", want: pool.Crashed, evidence: "exited with code 0 under the job",
		play: func(f *faulttest.Worker) {
			f.BeginPaged()
			ring := f.Page.Ring()
			copy(ring, faulttest.Noise(len(ring)))
			for slot := range ipc.MaxSlots {
				f.Page.SetStarted(slot, rand.Uint64()|1<<40)
			}
			f.Page.SetEnd(rand.Uint64() | 1<<40)
		}},
	{name: "credit 2^63", want: pool.OK, job: large, memory: 4 * ipc.MaxMessage,
		play: func(f *faulttest.Worker) {
			f.Send(f.ReadyBody(func(r *ipc.Ready) { r.Credit = 1 << 63 }, ipc.CapCredit))
			m := f.Job()
			for got := uint64(0); got < m.Size; {
				body, err := f.In.Next()
				faulttest.Must(err)
				data, err := ipc.Parse(body)
				faulttest.Must(err)
				got += uint64(len(data.Body))
			}
			m.Body = []byte{1}
			f.Answer(m)
			f.Serve()
		}},
	{name: "offsets beyond the files", want: pool.OK, check: wrote("printed", ""),
		play: func(f *faulttest.Worker) {
			m := f.BeginPaged()
			os.Stdout.WriteString("printed")
			f.Send(ipc.AppendResultOffsets(nil, m.ID, ipc.StatusOK, m.Body, 1<<64-1, 1<<63))
			f.Serve()
		}},
	{name: "offsets that go back", want: pool.OK, check: wrote("printed", ""),
		play: func(f *faulttest.Worker) {
			m := f.BeginPaged()
			os.Stdout.WriteString("printed")
			f.Send(ipc.AppendResultOffsets(nil, m.ID, ipc.StatusOK, m.Body, 7, 0))
			for {
				m = f.Job()
				f.Page.SetStarted(0, m.ID)
				f.Send(ipc.AppendResultOffsets(nil, m.ID, ipc.StatusOK, m.Body, 0, 0))
			}
		}},
}

// wrote checks the output of the first job.
func wrote(stdout, stderr string) func(*verdict, *pool.Result) {
	return func(v *verdict, r *pool.Result) {
		if out, err := string(r.Stdout.Tail(100)), string(r.Stderr.Tail(100)); out != stdout || err != stderr {
			v.errorf("output %q and %q, want %q and %q", out, err, stdout, stderr)
		}
	}
}

func atMost8MiB(c *pool.Config) { c.MaxOutput = 8 << 20 }

// flood writes to stderr, without newlines, for ever.
func floodStderr() {
	for text := bytes.Repeat([]byte{'x'}, 1<<16); ; {
		os.Stderr.Write(text)
	}
}

const longLine = 100 << 20

var outputs = []fault{
	{name: "floods stderr", want: pool.Limited, which: pool.WhichOutput, evidence: "wrote more than 8388608 bytes", config: atMost8MiB,
		play: func(f *faulttest.Worker) { f.Begin(); floodStderr() }},
	{name: "floods stderr, with page", want: pool.Limited, which: pool.WhichOutput, evidence: "wrote more than 8388608 bytes", config: atMost8MiB,
		play: func(f *faulttest.Worker) { f.BeginPaged(); floodStderr() }},
	{name: "floods stderr before ready", want: pool.OK, evidence: "wrote more than 8388608 bytes", config: atMost8MiB,
		play: func(*faulttest.Worker) { floodStderr() }},
	{name: "floods stderr before the job starts", want: pool.OK, evidence: "wrote more than 8388608 bytes", config: atMost8MiB,
		play: func(f *faulttest.Worker) { f.ReadyPaged(); floodStderr() }},
	{name: "a line of 100 MiB", want: pool.OK,
		play: func(f *faulttest.Worker) {
			m := f.Begin()
			part := bytes.Repeat([]byte{'x'}, 1<<20)
			for range longLine / len(part) {
				os.Stdout.Write(part)
			}
			f.Answer(m)
			f.Serve()
		},
		check: func(v *verdict, r *pool.Result) {
			var n counter
			if size, err := r.Stdout.WriteTo(&n); err != nil || size != longLine || n != longLine {
				v.errorf("%d bytes of output, %v", n, err)
			}
		}},
	{name: "64 KiB and a byte", want: pool.OK,
		play: func(f *faulttest.Worker) {
			m := f.Begin()
			os.Stdout.Write(make([]byte, 64<<10+1))
			f.Answer(m)
			f.Serve()
		},
		check: func(v *verdict, r *pool.Result) {
			if r.Stdout.Len() != 64<<10+1 {
				v.errorf("%d bytes of output", r.Stdout.Len())
			}
		}},
	{name: "output frames", want: pool.OK, check: wrote("said", "and complained"),
		play: func(f *faulttest.Worker) {
			m := f.Begin()
			f.Send(ipc.AppendOutput(nil, m.ID, 1, []byte("sa")))
			f.Send(ipc.AppendOutput(nil, m.ID, 2, []byte("and complained")))
			f.Send(ipc.AppendOutput(nil, m.ID, 1, []byte("id")))
			f.Answer(m)
			f.Serve()
		}},
	{name: "escape sequences as last words", want: pool.Crashed, evidence: "exited with code 1 under the job: ]0;owned[31m",
		play: func(f *faulttest.Worker) {
			f.Begin()
			os.Stderr.WriteString("\x1b]0;owned\x07\x1b[31m" + "\xff\xfe\u009b\n")
			os.Exit(1)
		}},
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// payloads makes a fault of each bomb in each place.
func payloads() (all []fault) {
	for _, bomb := range faulttest.Bombs() {
		all = append(all,
			fault{name: "in ready: " + bomb.Name, want: pool.OK, evidence: "protocol violation in ready frame",
				play: func(f *faulttest.Worker) { f.Send(f.ReadyWith("extra", bomb.Bytes)); faulttest.Hang() }},
			fault{name: "in an envelope: " + bomb.Name, want: pool.Protocol, evidence: "protocol violation in result frame",
				play: func(f *faulttest.Worker) {
					m := f.Begin()
					b := ipc.AppendResultOffsets(nil, m.ID, ipc.StatusOK, m.Body, 0, 0)
					b[0]++ // a seventh element, which only a later version knows
					f.Send(append(b, bomb.Bytes...))
					faulttest.Hang()
				}},
			fault{name: "as a result: " + bomb.Name, want: pool.Protocol, evidence: "payload for job 1",
				play: func(f *faulttest.Worker) { m := f.Begin(); f.Result(m.ID, ipc.StatusOK, bomb.Bytes); faulttest.Hang() }},
			fault{name: "as an error: " + bomb.Name, want: pool.Protocol, evidence: "payload for job 1",
				play: func(f *faulttest.Worker) {
					m := f.Begin()
					f.Result(m.ID, ipc.StatusFailed, bomb.Bytes)
					faulttest.Hang()
				}},
		)
		if len(bomb.Bytes) <= ipc.MaxInline {
			all = append(all, fault{name: "in a log line: " + bomb.Name, want: pool.Protocol, evidence: "protocol violation",
				play: func(f *faulttest.Worker) {
					m := f.Begin()
					f.Send(ipc.AppendLog(nil, m.ID, ipc.LevelInfo, "", bomb.Bytes))
					faulttest.Hang()
				}})
		}
	}
	for _, c := range []struct {
		key string
		b   []byte
	}{
		{"program", []byte{0xa2, 0xff, 0xfe}}, // no UTF-8
		{"program", []byte{0xc4, 1, 'x'}},
		{"program", []byte{0xd4, 1, 1}}, // an extension
		{"version", []byte{0xd4, 1, 1}},
		{"version", []byte{0xff}},                                                // −1
		{"window", []byte{0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0}},                      // 2^63
		{"window", []byte{0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, // −1
		{"window", []byte{0}},
		{"window", []byte{0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0}}, // 1.0
		{"threads", []byte{2}},
		{"credit", []byte{1}},
		{"tasks", []byte{0x91, 1}},
		{"capabilities", []byte{0x81, 1, 1}},
		{"capabilities", append([]byte{0xdc, 0, 65}, bytes.Repeat([]byte{0xa1, 'x'}, 65)...)},
	} {
		all = append(all, fault{name: "ready with " + c.key + " " + strconv.Quote(string(c.b[:min(len(c.b), 9)])), want: pool.OK, evidence: "protocol violation in ready frame",
			play: func(f *faulttest.Worker) { f.Send(f.ReadyWith(c.key, c.b)); faulttest.Hang() }})
	}
	return append(all,
		fault{name: "ready with more behind it", want: pool.OK, evidence: "protocol violation in ready frame: 1 trailing bytes",
			play: func(f *faulttest.Worker) { f.Send(append(f.ReadyBody(nil), 0xc0)); faulttest.Hang() }},
		fault{name: "result with more behind it", want: pool.Protocol, evidence: "protocol violation in result frame: 1 trailing bytes",
			play: func(f *faulttest.Worker) {
				m := f.Begin()
				f.Send(append(ipc.AppendResult(nil, m.ID, 0, m.Body), 0xc0))
				faulttest.Hang()
			}},
		fault{name: "value with more behind it", want: pool.Protocol, evidence: "1 trailing bytes",
			play: func(f *faulttest.Worker) {
				m := f.Begin()
				f.Result(m.ID, ipc.StatusOK, []byte{1, 1})
				faulttest.Hang()
			}},
		fault{name: "result without a value", want: pool.Protocol, evidence: "payload for job 1",
			play: func(f *faulttest.Worker) { m := f.Begin(); f.Result(m.ID, ipc.StatusOK, nil); faulttest.Hang() }},
		fault{name: "log line that is no UTF-8", want: pool.Protocol, evidence: "protocol violation in log frame",
			play: func(f *faulttest.Worker) {
				m := f.Begin()
				f.Send([]byte{0x95, byte(ipc.KindLog), byte(m.ID), byte(ipc.LevelInfo), 0xa1, 0xff, 0xc4, 0})
				faulttest.Hang()
			}},
		fault{name: "id −1", want: pool.Protocol, evidence: "bad or missing id",
			play: func(f *faulttest.Worker) {
				f.Begin()
				f.Send([]byte{0x94, byte(ipc.KindResult), 0xff, 0, 0xc4, 1, 1})
				faulttest.Hang()
			}},
		fault{name: "status 9", want: pool.Protocol, evidence: "bad or missing status",
			play: func(f *faulttest.Worker) {
				f.Begin()
				f.Send([]byte{0x94, byte(ipc.KindResult), 1, 9, 0xc4, 1, 1})
				faulttest.Hang()
			}},
		fault{name: "extension as id", want: pool.Protocol, evidence: "bad or missing id",
			play: func(f *faulttest.Worker) {
				f.Begin()
				f.Send([]byte{0x94, byte(ipc.KindResult), 0xd4, 1, 1, 0, 0xc4, 1, 1})
				faulttest.Hang()
			}},
	)
}
