package ipc

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func document(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestProtocol_ListsEveryKind(t *testing.T) {
	t.Parallel()
	doc := document(t)
	for k := KindHello; k <= KindPlace; k++ {
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| %d \| \[%s\]\(#`, k, k))
		if !row.MatchString(doc) {
			t.Errorf("no row for kind %d, %v", k, k)
		}
	}
}

func TestProtocol_LinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	doc := document(t)
	anchors := map[string]bool{}
	for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(doc, -1) {
		a := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(h[1]), "")
		anchors[strings.ReplaceAll(a, " ", "-")] = true
	}
	for _, l := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(doc, -1) {
		if !anchors[l[1]] {
			t.Errorf("no heading for #%s", l[1])
		}
	}
}

func TestProtocol_ExampleIsWhatIsSent(t *testing.T) {
	t.Parallel()
	_, section, ok := strings.Cut(document(t), "## One job, byte by byte\n")
	if !ok {
		t.Fatal("no section with an example")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var frames [][]byte
	inBlock := false
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "    ") {
			inBlock = false
			continue
		}
		if !inBlock {
			frames = append(frames, nil)
			inBlock = true
		}
		b, err := hex.DecodeString(strings.ReplaceAll(line[:min(38, len(line))], " ", "")) // the rest is comment
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		frames[len(frames)-1] = append(frames[len(frames)-1], b...)
	}
	payload := []byte("\xa5hello")
	want := [][]byte{
		AppendFrame(nil, AppendJob(nil, 1, "echo", 1, 0, "greet", "", payload)),
		AppendFrame(nil, AppendResult(nil, 1, StatusOK, payload)),
	}
	if len(frames) != len(want) {
		t.Fatalf("%d frames in the example, want %d", len(frames), len(want))
	}
	for i := range want {
		if !bytes.Equal(frames[i], want[i]) {
			t.Errorf("frame %d is\n% x, sent is\n% x", i, frames[i], want[i])
		}
	}
}

// pythonWorker starts the worker that the document ends with. out is its
// captured stdout.
func pythonWorker(t *testing.T, prelude string) (l *Link, cmd *exec.Cmd, out *os.File) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	_, source, ok := strings.Cut(document(t), "```python\n")
	if !ok {
		t.Fatal("no worker in the document")
	}
	source, _, _ = strings.Cut(source, "```")
	dir := t.TempDir()
	script := filepath.Join(dir, "worker.py")
	if err := os.WriteFile(script, []byte(prelude+source), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err = os.OpenFile(filepath.Join(dir, "out"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		t.Fatal(err)
	}
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	cmd = exec.CommandContext(ctx, python, script)
	cmd.Env = append(os.Environ(), "MULTIPROC_WORKER=out=3")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, os.Stderr
	cmd.ExtraFiles = []*os.File{out}
	err = cmd.Start()
	inR.Close()
	outW.Close()
	if err != nil {
		t.Fatal(err)
	}
	l = NewLink(outR, inW)
	t.Cleanup(func() {
		l.Close()
		_ = cmd.Wait() // a second wait fails: then it has been waited for
		cancel()
		out.Close()
	})
	return l, cmd, out
}

func TestProtocol_PythonWorker(t *testing.T) {
	t.Parallel()
	l, cmd, out := pythonWorker(t, "print('printed before the start', flush=True)\n")
	h := &Hello{Min: 1, Max: 1, Nonce: goldenNonce, FrameMax: MaxFrame, MessageMax: MaxMessage, Credit: DefaultCredit, Worker: "worker-1"}
	send := func(bodies ...[]byte) {
		t.Helper()
		if _, err := l.PutBatch(t.Context(), bodies); err != nil {
			t.Fatal(err)
		}
	}
	send(AppendHello(nil, h))
	var stray []byte
	ready, err := l.Reader().AwaitReady(h, func(p []byte) { stray = append(stray, p...) })
	if err != nil {
		t.Fatal(err)
	}
	if string(stray) != "printed before the start\n" {
		t.Errorf("stray output %q", stray)
	}
	if ready.Window != 1 || ready.Threads != 1 || len(ready.Capabilities) != 0 || fmt.Sprint(ready.Tasks) != "[divide echo]" {
		t.Errorf("ready is %+v", ready)
	}
	var a Assembler
	answer := func() *Message {
		t.Helper()
		for {
			body, err := l.Reader().Next()
			if err != nil {
				t.Fatal(err)
			}
			m, err := Parse(body)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case m.Chunked():
				if err := a.Begin(&m); err != nil {
					t.Fatal(err)
				}
			case m.Kind == KindData:
				whole, err := a.Add(&m)
				if err != nil {
					t.Fatal(err)
				}
				if whole != nil {
					return whole
				}
			default:
				return &m
			}
		}
	}
	t.Run("echo", func(t *testing.T) {
		for _, v := range vectors(t, "payloads.json") {
			if v.Reason != "" || v.Repeat > 1 || strings.Contains(v.Name, "ext") || strings.Contains(v.Name, "timestamp") || strings.Contains(v.Name, "UTF-8") {
				continue
			}
			send(AppendJob(nil, 1, "echo", 1, 0, v.Name, "", v.bytes()))
			if m := answer(); m.Kind != KindResult || m.ID != 1 || m.Status != StatusOK || ValidatePayload(m.Body) != nil {
				t.Errorf("%s: %v, status %v, payload % x", v.Name, m.Kind, m.Status, m.Body)
			}
		}
	})
	t.Run("failure", func(t *testing.T) {
		send(AppendJob(nil, 2, "divide", 1, 0, "", "", []byte("\x82\xa1a\x01\xa1b\x00")))
		if m := answer(); m.ID != 2 || m.Status != StatusFailed || !bytes.Contains(m.Body, []byte("ZeroDivisionError")) {
			t.Errorf("id %d, status %v, payload %q", m.ID, m.Status, m.Body)
		}
	})
	t.Run("no such task", func(t *testing.T) {
		send(AppendJob(nil, 3, "teleport", 1, 0, "", "", []byte{0xc0}))
		if m := answer(); m.ID != 3 || m.Status != StatusFailed {
			t.Errorf("id %d, status %v", m.ID, m.Status)
		}
	})
	t.Run("chunks", func(t *testing.T) {
		payload := appendStr(nil, strings.Repeat("0123456789", 30_000))
		send(AppendJob(nil, 4, "echo", 1, 0, "", "", payload))
		for rest := payload; len(rest) > 0; {
			n := min(len(rest), MaxInline)
			send(AppendData(nil, 4, rest[:n]))
			rest = rest[n:]
		}
		if m := answer(); m.ID != 4 || m.Status != StatusOK || !bytes.Equal(m.Body, payload) {
			t.Errorf("id %d, status %v, %d bytes, want %d", m.ID, m.Status, len(m.Body), len(payload))
		}
	})
	t.Run("stop", func(t *testing.T) {
		send(AppendStop(nil))
		if err := cmd.Wait(); err != nil {
			t.Errorf("worker ended with %v", err)
		}
	})
	if s, err := out.Stat(); err != nil || s.Size() != 0 {
		t.Errorf("%d bytes of captured stdout, %v; none were printed after the start", s.Size(), err)
	}
}

func TestProtocol_PythonWorkerEndsWithItsLink(t *testing.T) {
	t.Parallel()
	l, cmd, _ := pythonWorker(t, "")
	h := &Hello{Min: 1, Max: 1, Nonce: goldenNonce}
	if _, err := l.PutBatch(t.Context(), [][]byte{AppendHello(nil, h)}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Reader().AwaitReady(h, func([]byte) {}); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("worker ended with %v", err)
	}
}
