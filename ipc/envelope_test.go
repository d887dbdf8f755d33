package ipc

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParse_RefusesEveryPrefix(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "envelopes.json") {
		for cut := range v.Hex {
			if _, err := Parse(v.Hex[:cut]); err == nil {
				t.Errorf("%s: its first %d bytes of %d pass", v.Name, cut, len(v.Hex))
			}
		}
	}
}

func TestParse_BodiesCannotBeAppendedOver(t *testing.T) {
	t.Parallel()
	b := AppendResultOffsets(nil, 1, StatusOK, []byte("abc"), 1, 2)
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(b)
	_ = append(m.Body, "overwritten"...)
	if !bytes.Equal(b, before) {
		t.Error("an append to the body wrote into the frame")
	}
}

func TestParse_TakesPayloadsUpToTheInlineLimit(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 255, 256, MaxInline - 1, MaxInline} {
		p := body(n)
		m, err := Parse(AppendJob(nil, 1, "t", 1, 0, "", "", p))
		if err != nil || !bytes.Equal(m.Body, p) || m.Chunked() || m.Size != uint64(n) {
			t.Errorf("%d bytes: %v, %d came", n, err, len(m.Body))
		}
		if n > 0 {
			if m, err := Parse(AppendData(nil, 1, p)); err != nil || !bytes.Equal(m.Body, p) {
				t.Errorf("a chunk of %d bytes: %v", n, err)
			}
		}
	}
	m, err := Parse(AppendJob(nil, 1, "t", 1, 0, "", "", body(MaxInline+1)))
	if err != nil || !m.Chunked() || m.Size != MaxInline+1 {
		t.Errorf("one byte more: %v, chunked %v, size %d", err, m.Chunked(), m.Size)
	}
	over := body(MaxInline + 1)
	for name, b := range map[string][]byte{
		"job":      appendBin(AppendJob(nil, 1, "t", 1, 0, "", "", nil)[:len(AppendJob(nil, 1, "t", 1, 0, "", "", nil))-2], over),
		"data":     AppendData(nil, 1, over),
		"progress": AppendProgress(nil, 1, over),
		"log":      AppendLog(nil, 1, LevelInfo, "m", over),
		"output":   AppendOutput(nil, 1, 1, over),
	} {
		if _, err := Parse(b); err == nil {
			t.Errorf("%s with a bin of %d bytes passes", name, len(over))
		}
	}
}

func TestAppendLog_MakesAnyTextFit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"plain":            {"read 3 files", "read 3 files"},
		"not UTF-8":        {"a\xffb", "a\uFFFDb"},
		"too long":         {strings.Repeat("x", MaxInline+5), strings.Repeat("x", MaxInline)},
		"cut inside ü":     {strings.Repeat("x", MaxInline-1) + "üx", strings.Repeat("x", MaxInline-1)},
		"cut inside 世":     {strings.Repeat("x", MaxInline-2) + "世", strings.Repeat("x", MaxInline-2)},
		"longer when made": {strings.Repeat("a\xff", MaxInline/2), strings.Repeat("a\uFFFD", MaxInline/4)},
		"empty":            {"", ""},
	} {
		m, err := Parse(AppendLog(nil, 1, LevelInfo, c.in, nil))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if string(m.Name) != c.want {
			t.Errorf("%s: %d bytes came, want %d", name, len(m.Name), len(c.want))
		}
	}
}

func TestText_IsUTF8WhereverTheBadByteStands(t *testing.T) {
	t.Parallel()
	for n := range 40 {
		for at := range n {
			s := bytes.Repeat([]byte("a"), n)
			s[at] = 0xff
			if ascii(s) {
				t.Errorf("byte %d of %d: taken for ASCII", at, n)
			}
			c := cursor{b: appendStr(nil, s)}
			if _, ok := c.text(MaxName); ok || utf8.Valid(s) {
				t.Errorf("byte %d of %d: taken for text", at, n)
			}
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	if got := Kind(99).String(); got != "kind 99" {
		t.Errorf("unknown kind is %q", got)
	}
	if got := Kind(0).String(); got != "kind 0" {
		t.Errorf("kind 0 is %q", got)
	}
	if got := Status(9).String(); got != "status 9" {
		t.Errorf("unknown status is %q", got)
	}
	if got := StatusRecalled.String(); got != "recalled" {
		t.Errorf("status 3 is %q", got)
	}
	if got := violation(KindJob, "bad or missing %s", "key").Error(); got != "protocol violation in job frame: bad or missing key" {
		t.Errorf("error is %q", got)
	}
}

func TestParse_AllocatesNothing(t *testing.T) {
	job := AppendJob(nil, 12345, "resize", 1, 0, "resize#12", "0123456789abcdef", body(64))
	result := AppendResultOffsets(nil, 12345, StatusOK, body(64), 1<<20, 0)
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		for _, b := range [][]byte{job, result} {
			m, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			buf = AppendResult(buf[:0], m.ID, StatusOK, m.Body)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParse_HostileElementsCostLittle(t *testing.T) {
	// A million later elements, and as many keys as fit.
	many := append([]byte{0xdd, 0x00, 0x0f, 0xff, 0x02, 0x07, 0x00}, make([]byte, 0xfff00)...)
	keys := append([]byte{0x93, 0x07, 0x00}, bigMap(150_000)...)
	for name, b := range map[string][]byte{"elements": many, "keys": keys} {
		if len(b) > MaxFrame {
			t.Fatalf("%s: %d bytes are no frame", name, len(b))
		}
		got := allocated(func() {
			if _, err := Parse(b); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		if got > 8*MaxFrame {
			t.Errorf("%s: %d bytes allocated", name, got)
		}
	}
}
