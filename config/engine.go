package config

import (
	"bytes"
	"fmt"
	"sync"
	"text/template"
	"text/template/parse"
)

// enginePool holds copies of one template for the standard library's engine,
// which has no other way to hand a value of one execution to its functions.
type enginePool struct {
	single bool  // the template is one {{…}}: its value is kept
	refs   []ref // what _at refers to
	master *template.Template
	free   sync.Pool // *engine
}

type engine struct {
	tmpl  *template.Template
	owner *Template
	scope *Scope
	kept  Value
	out   bytes.Buffer
	data  map[string]any
}

// Names of functions that only rewritten templates call.
const (
	fnAt    = "_at"    // text of the i-th plain reference, as written
	fnPrint = "_print" // text of a computed value
	fnKeep  = "_keep"  // remembers a computed value, prints nothing
)

func (p *enginePool) get(t *Template) (*engine, error) {
	if e, ok := p.free.Get().(*engine); ok {
		return e, nil
	}
	clone, err := p.master.Clone()
	if err != nil {
		return nil, err
	}
	e := &engine{owner: t, data: make(map[string]any)}
	e.tmpl = clone.Funcs(template.FuncMap{
		fnAt: func(i int) (string, error) {
			v, err := e.owner.look(p.refs[i], e.scope)
			return v.Text(), err
		},
		fnKeep: func(v any) string {
			e.kept = fromAny(v)
			return ""
		},
	})
	return e, nil
}

func (p *enginePool) run(t *Template, s *Scope) (string, Value, error) {
	e, err := p.get(t)
	if err != nil {
		return "", Value{}, t.execError(err)
	}
	e.scope = s
	for r := range rootCount {
		if t.usesRoot(r) {
			e.data[rootNames[r]] = s.value(r).Any()
		}
	}
	err = e.tmpl.Execute(&e.out, e.data)
	text, kept := e.out.String(), e.kept
	e.scope, e.kept = nil, Value{}
	e.out.Reset()
	clear(e.data)
	p.free.Put(e)
	if err != nil {
		if bad, ok := asError(err); ok {
			return "", Value{}, bad
		}
		return "", Value{}, t.execError(err)
	}
	if p.single {
		text = kept.Text()
	}
	return text, kept, nil
}

// parse reads the template with the standard library's parser, checks what it
// refers to, and chooses how it is expanded.
func (t *Template) parse() *Error {
	if t.parsePlain() {
		return nil
	}
	tmpl, err := template.New("").Option("missingkey=error").Funcs(templateFuncs).Parse(t.raw)
	if err != nil {
		e := t.execError(err)
		if containsUndefined(e.Msg) {
			e.Hint = "functions are base, dir, stem, ext and those of Go's text/template"
		}
		return e
	}
	if tmpl.Tree == nil || len(tmpl.Templates()) > 1 {
		return t.fail("template: define and block are not allowed")
	}
	w := treeWalk{t: t}
	w.list(tmpl.Root, true)
	if w.err != nil {
		return w.err
	}
	if parts, ok := plainParts(tmpl.Root); ok {
		t.parts = parts
		return nil
	}
	p := &enginePool{master: tmpl}
	p.rewrite(tmpl.Root)
	t.pool = p
	return nil
}

// plainParts gives the pieces of a template that holds only text and plain
// references.
func plainParts(list *parse.ListNode) ([]part, bool) {
	parts := make([]part, 0, len(list.Nodes))
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			parts = append(parts, part{text: string(n.Text), ref: ref{root: rootCount}})
		case *parse.CommentNode:
		case *parse.ActionNode:
			r, ok := plainRef(n.Pipe, true)
			if !ok {
				return nil, false
			}
			parts = append(parts, part{ref: r})
		default:
			return nil, false
		}
	}
	if len(parts) == 1 && parts[0].ref.root == rootCount {
		return nil, false
	}
	return parts, len(parts) > 0
}

// plainRef gives the reference that a pipeline consists of, if it is one.
func plainRef(pipe *parse.PipeNode, dotIsRoot bool) (ref, bool) {
	if len(pipe.Decl) > 0 || len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 1 {
		return ref{}, false
	}
	var ident []string
	switch n := pipe.Cmds[0].Args[0].(type) {
	case *parse.FieldNode:
		if !dotIsRoot {
			return ref{}, false
		}
		ident = n.Ident
	case *parse.VariableNode:
		if n.Ident[0] != "$" {
			return ref{}, false
		}
		ident = n.Ident[1:]
	}
	if len(ident) == 0 {
		return ref{}, false
	}
	r, ok := rootNamed(ident[0])
	return ref{root: r, path: ident[1:]}, ok
}

// rewrite makes every action print the way values print here, where the engine
// alone would print Go's notation.
func (p *enginePool) rewrite(list *parse.ListNode) {
	if len(list.Nodes) == 1 {
		if a, ok := list.Nodes[0].(*parse.ActionNode); ok && len(a.Pipe.Decl) == 0 {
			p.single = true
			appendCall(a.Pipe, fnKeep)
			return
		}
	}
	p.rewriteList(list, true)
}

func (p *enginePool) rewriteList(list *parse.ListNode, dotIsRoot bool) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			if r, ok := plainRef(n.Pipe, dotIsRoot); ok {
				number := &parse.NumberNode{NodeType: parse.NodeNumber, Pos: n.Pos, IsInt: true, Int64: int64(len(p.refs)), Text: fmt.Sprint(len(p.refs))}
				p.refs = append(p.refs, r)
				n.Pipe.Cmds[0].Args = []parse.Node{parse.NewIdentifier(fnAt).SetPos(n.Pos), number}
			} else if len(n.Pipe.Decl) == 0 {
				appendCall(n.Pipe, fnPrint)
			}
		case *parse.IfNode:
			p.rewriteList(n.List, dotIsRoot)
			p.rewriteList(n.ElseList, dotIsRoot)
		case *parse.WithNode:
			p.rewriteList(n.List, false)
			p.rewriteList(n.ElseList, dotIsRoot)
		case *parse.RangeNode:
			p.rewriteList(n.List, false)
			p.rewriteList(n.ElseList, dotIsRoot)
		}
	}
}

func appendCall(pipe *parse.PipeNode, name string) {
	pipe.Cmds = append(pipe.Cmds, &parse.CommandNode{
		NodeType: parse.NodeCommand,
		Pos:      pipe.Pos,
		Args:     []parse.Node{parse.NewIdentifier(name).SetPos(pipe.Pos)},
	})
}

// treeWalk finds what a template refers to and refuses what cannot be told
// before it runs.
type treeWalk struct {
	t   *Template
	err *Error
}

func (w *treeWalk) fail(msg, hint string) {
	if w.err == nil {
		w.err = w.t.fail(msg)
		w.err.Hint = hint
	}
}

func (w *treeWalk) list(list *parse.ListNode, dotIsRoot bool) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		w.node(n, dotIsRoot)
	}
}

func (w *treeWalk) branch(b *parse.BranchNode, dotIsRoot, rebinds bool) {
	w.node(b.Pipe, dotIsRoot)
	w.list(b.List, dotIsRoot && !rebinds)
	w.list(b.ElseList, dotIsRoot)
}

func (w *treeWalk) node(n parse.Node, dotIsRoot bool) {
	switch n := n.(type) {
	case *parse.ActionNode:
		w.node(n.Pipe, dotIsRoot)
	case *parse.PipeNode:
		if n == nil {
			return
		}
		for _, c := range n.Cmds {
			for _, a := range c.Args {
				w.node(a, dotIsRoot)
			}
		}
	case *parse.IfNode:
		w.branch(&n.BranchNode, dotIsRoot, false)
	case *parse.WithNode:
		w.branch(&n.BranchNode, dotIsRoot, true)
	case *parse.RangeNode:
		w.branch(&n.BranchNode, dotIsRoot, true)
	case *parse.ChainNode:
		w.node(n.Node, dotIsRoot)
	case *parse.TemplateNode:
		w.fail("template: calls of other templates are not allowed", "")
	case *parse.DotNode:
		if dotIsRoot {
			w.fail("template: a bare {{.}} names nothing", "write {{.item}}")
		}
	case *parse.FieldNode:
		if dotIsRoot {
			w.ref(n.Ident)
		}
	case *parse.VariableNode:
		if n.Ident[0] == "$" {
			if len(n.Ident) == 1 {
				w.fail("template: a bare {{$}} names nothing", "write {{$.item}}")
				return
			}
			w.ref(n.Ident[1:])
		}
	}
}

func (w *treeWalk) ref(ident []string) {
	r, ok := rootNamed(ident[0])
	if !ok {
		hint := "templates know item, items, index, matrix, var, job, attempt and slot"
		if near := Nearest(ident[0], rootNames[:]); near != "" {
			hint = "did you mean ." + near + "?"
		}
		w.fail(fmt.Sprintf("template: unknown name .%s", ident[0]), hint)
		return
	}
	w.t.uses |= 1 << r
	if r != rootIndex && r != rootJob && r != rootAttempt && r != rootSlot {
		w.t.refs = append(w.t.refs, ref{root: r, path: ident[1:]})
		return
	}
	if len(ident) > 1 {
		w.fail(fmt.Sprintf("template: .%s has no fields", ident[0]), "")
	}
}
