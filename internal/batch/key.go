package batch

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/feac4032/multiproc/config"
)

// The key of an instance says what it does, so that a program can tell that it
// has done it before: two instances with equal keys are interchangeable. It is
// the first half of a SHA-256 over length-prefixed fields, in hex.
//
// slot and attempt, which change from one try to the next, stand in it as the
// templates that use them, with 0 in their place.

// baseOfKey digests what the instances of a job have in common. How many parts there
// are, and which, comes first: `run: [make, sub]` is not `run: [make]` with `cwd: sub`.
func (p *plan) baseOfKey() []byte {
	var b []byte
	for _, n := range []int{len(p.vars), len(p.job.Run), len(p.declared)} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	for _, there := range []bool{
		p.job.Foreach != nil, p.job.Chunk.Given(), p.job.Args != nil, p.fixedEnv,
		p.job.Cwd != nil, p.job.Stdin != nil, p.job.Stdin != nil && p.job.Stdin.File != nil, p.job.Stdout != nil,
	} {
		b = strconv.AppendBool(b, there)
	}
	b = keyField(b, p.job.ID)
	b = keyField(b, p.job.Kind.String())
	b = keyField(b, p.job.Shell)
	b = keyField(b, p.job.Task)
	for _, v := range p.vars {
		b = keyField(b, v.Name)
		b = keyValue(b, v.Value)
	}
	raw := func(t *config.Template, always bool) {
		text := ""
		if always || t.Uses("slot") || t.Uses("attempt") {
			text = t.Raw()
		}
		b = keyField(b, text)
	}
	for _, t := range p.job.Run {
		raw(t, false)
	}
	for _, e := range p.declared {
		b = keyField(b, e.Name)
		raw(e.Value, p.fixedEnv)
	}
	if p.job.Args != nil && (p.job.RefersTo("slot") || p.job.RefersTo("attempt")) {
		b = keyValue(b, p.job.Args.Raw())
	}
	sum := sha256.Sum256(b)
	return sum[:16]
}

// keyOf gives the key of an instance. Where a template fails, its error stands
// for what it would have given: such an instance is never ok.
func (p *plan) keyOf(in *Instance) string {
	key := p.digest(in)
	return hex.EncodeToString(key[:])
}

func (p *plan) digest(in *Instance) [16]byte {
	if in.keyed {
		return in.key
	}
	s := p.scope(in, 0, 0)
	b := append(make([]byte, 0, 256), p.keyBase...)
	switch {
	case in.Items != nil:
		b = append(b, digestItems(in.Items)...)
	case p.job.Foreach != nil:
		b = keyValue(b, in.Item)
	}
	b = binary.AppendUvarint(b, uint64(len(in.Matrix)))
	for _, f := range in.Matrix {
		b = keyField(b, f.Name)
		b = keyValue(b, f.Value)
	}
	text := func(t string, err error) {
		if err != nil {
			t = err.Error()
		}
		b = keyField(b, t)
	}
	for _, t := range p.job.Run {
		if in.Items != nil && t.Uses("items") {
			text(t.Raw(), nil) // what it expands to is in the key already
			continue
		}
		text(t.Text(&s))
	}
	if p.job.Args != nil {
		v, err := p.job.Args.Value(&s)
		if err != nil {
			v = config.String(err.Error())
		}
		b = keyValue(b, v)
	}
	if !p.fixedEnv {
		for _, e := range p.declared {
			text(e.Value.Text(&s))
		}
	}
	if p.job.Cwd != nil {
		text(p.job.Cwd.Text(&s))
	}
	if p.job.Stdin != nil {
		t, path, err := p.stdin(&s)
		text(path, nil)
		text(t, err)
	}
	if p.job.Stdout != nil {
		text(p.job.Stdout.Text(&s))
	}
	sum := sha256.Sum256(b)
	in.key, in.keyed = [16]byte(sum[:16]), true
	return in.key
}

// digestItems digests the items of a chunk, which may be long.
func digestItems(items []config.Value) []byte {
	h := sha256.New()
	b := make([]byte, 0, 4<<10)
	for _, v := range items {
		if b = keyValue(b, v); len(b) > 2<<10 {
			h.Write(b)
			b = b[:0]
		}
	}
	h.Write(b)
	return h.Sum(nil)
}

func keyField(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func keyValue(b []byte, v config.Value) []byte {
	return keyField(append(b, byte(v.Type())), v.Text())
}
