package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser is a headless Chromium that is told what to do over two pipes.
type browser struct {
	t       *testing.T
	w       *os.File
	session string
	calls   int

	loaded  chan string // the loaders of documents that are complete
	answers chan answer

	mu       sync.Mutex
	problems []string // what a console would show, and requests that were made
}

type answer struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// openBrowser starts a browser that ends with the test. It skips the test only
// where there is none.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium on PATH")
	}
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{in, out}
	cmd.Stderr = io.Discard // over a pipe, whose end is that of the browser's last process
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	b := &browser{t: t, w: w, answers: make(chan answer), loaded: make(chan string, 64)}
	read := make(chan struct{})
	go func() { defer close(read); b.read(r) }()
	watchdog := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		b.session = ""
		b.send("Browser.close", nil)
		w.Close()
		for range b.answers { // until its end
		}
		<-read
		r.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the browser ended: %v", err)
		}
		watchdog.Stop()
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	b.session = session.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	b.call("Page.setLifecycleEventsEnabled", map[string]any{"enabled": true}, nil)
	return b
}

// read takes what the browser says until it ends.
func (b *browser) read(r io.Reader) {
	defer close(b.loaded)
	defer close(b.answers)
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			answer
			Method string `json:"method"`
			Params struct {
				Request  struct{ URL string } `json:"request"`
				LoaderID string               `json:"loaderId"`
				Name     string               `json:"name"`
			} `json:"params"`
		}
		if err := json.Unmarshal(line[:len(line)-1], &m); err != nil {
			return
		}
		switch m.Method {
		case "":
			b.answers <- m.answer
		case "Page.lifecycleEvent":
			if m.Params.Name == "load" {
				b.loaded <- m.Params.LoaderID
			}
		case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
			b.problem(string(line))
		case "Network.requestWillBeSent":
			if !strings.HasPrefix(m.Params.Request.URL, "file://") || !strings.HasSuffix(m.Params.Request.URL, ".html") {
				b.problem("asked for " + m.Params.Request.URL)
			}
		}
	}
}

func (b *browser) problem(s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, s)
}

func (b *browser) send(method string, params any) {
	b.calls++
	m := map[string]any{"id": b.calls, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	line, err := json.Marshal(m)
	if err != nil {
		b.t.Fatal(err)
	}
	b.w.Write(append(line, 0)) // its end is found by the reader
}

// call has the browser do something, and reads its answer into out.
func (b *browser) call(method string, params, out any) {
	b.t.Helper()
	b.send(method, params)
	a, ok := <-b.answers
	if !ok || a.ID != b.calls || a.Error != nil {
		b.t.Fatalf("%s: %s", method, a.Error)
	}
	if out != nil {
		if err := json.Unmarshal(a.Result, out); err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
	}
}

// open shows a file on a screen of a size, in a scheme of colours.
func (b *browser) open(path string, width, height int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
	}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}},
	}, nil)
	var page struct{ LoaderID string }
	b.call("Page.navigate", map[string]any{"url": "file://" + path}, &page)
	for loader := range b.loaded {
		if loader == page.LoaderID {
			return
		}
	}
	b.t.Fatal("the browser ended")
}

// eval gives the value of an expression in the page.
func (b *browser) eval(format string, args ...any) any {
	b.t.Helper()
	expression := fmt.Sprintf(format, args...)
	var out struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &out)
	if out.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, out.ExceptionDetails)
	}
	return out.Result.Value
}

// press presses a key.
func (b *browser) press(key string) {
	b.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		b.call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": key, "code": key}, nil)
	}
}

// shoot writes a picture of the screen, or of the whole page.
func (b *browser) shoot(path string, whole bool) {
	b.t.Helper()
	var out struct{ Data []byte }
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": whole}, &out)
	if err := os.WriteFile(path, out.Data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// quiet fails the test if the page had anything to say on a console, or loaded
// anything but itself.
func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		b.t.Errorf("the page: %s", p)
	}
}
