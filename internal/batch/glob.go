package batch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/feac4032/multiproc/config"
)

// glob yields the files that match any of some patterns, each once, in byte
// order of their paths, and holds no more than the names of the folders on the
// way to the current one. A folder sorts as its name with a slash, so that a
// walk in order of names is one in order of paths.
//
// `**` does not follow symbolic links to folders, which may lead back up;
// elements that a pattern names do.
type glob struct {
	walks []*walk
	heads []string // the next path of each walk; "" = it is through
	last  string
	read  bool // the heads are filled
	any   bool // something matched
	empty bool // no match is no mistake
	name  string
}

// openGlob prepares a walk relative to dir. Nothing is read yet.
func openGlob(dir string, patterns []string, emptyOK bool) (*glob, error) {
	g := &glob{heads: make([]string, len(patterns)), empty: emptyOK, name: strings.Join(patterns, ", ")}
	for _, p := range patterns {
		p = path.Clean(p)
		if !doublestar.ValidatePattern(p) {
			return nil, fmt.Errorf("glob %s: bad pattern", p)
		}
		g.walks = append(g.walks, newWalk(dir, p))
	}
	return g, nil
}

func (g *glob) close() {}

// probe looks for a first match.
func (g *glob) probe() error {
	for _, w := range g.walks {
		if p, err := w.next(); p != "" || err != nil {
			return err
		}
	}
	if g.empty {
		return nil
	}
	return fmt.Errorf("glob %s: %w", g.name, errNoMatch)
}

func (g *glob) more(dst []item) ([]item, error) {
	if !g.read {
		g.read = true
		for i := range g.walks {
			if err := g.advance(i); err != nil {
				return dst, err
			}
		}
	}
	for range batchItems {
		least := -1
		for i, h := range g.heads {
			if h != "" && (least < 0 || h < g.heads[least]) {
				least = i
			}
		}
		if least < 0 {
			if !g.any && !g.empty {
				return dst, fmt.Errorf("glob %s: %w", g.name, errNoMatch)
			}
			return dst, io.EOF
		}
		p := g.heads[least]
		if !g.any || p != g.last {
			dst = append(dst, item{value: config.String(p)})
		}
		g.any, g.last = true, p
		if err := g.advance(least); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (g *glob) advance(i int) (err error) {
	g.heads[i], err = g.walks[i].next()
	return err
}

// walk finds the files that match one pattern.
type walk struct {
	root    string // what relative paths start from, "" for absolute patterns
	pattern string
	prefix  string   // the elements before the first with a wildcard, with a slash at the end
	elems   []string // the others; nil = a brace spans a slash, so that nothing can be ruled out
	stack   []folder
	started bool
	fixed   bool // no wildcard at all
}

// folder is a directory whose entries are being visited.
type folder struct {
	path    string // with a slash at the end, or ""
	names   []dirEntry
	depth   int  // elements below the prefix
	crossed bool // a ** was passed on the way
}

type dirEntry struct {
	key   string // name, folders with a slash
	isDir bool
}

func newWalk(root, pattern string) *walk {
	w := &walk{root: root, pattern: pattern}
	if path.IsAbs(pattern) {
		w.root = ""
	}
	elems := strings.Split(pattern, "/")
	i := 0
	for i < len(elems) && !strings.ContainsAny(elems[i], `*?[{\`) {
		i++
	}
	w.fixed = i == len(elems)
	w.prefix = strings.Join(elems[:i], "/")
	if i > 0 {
		w.prefix += "/"
	}
	// Braces that hold a slash make the number of elements unknown.
	depth := 0
	for _, c := range strings.Join(elems[i:], "/") {
		switch {
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == '/' && depth > 0:
			return w
		}
	}
	w.elems = elems[i:]
	return w
}

// next returns the next path, "" at the end.
func (w *walk) next() (string, error) {
	if !w.started {
		w.started = true
		if w.fixed {
			if st, err := os.Stat(w.abs(w.pattern)); err == nil && !st.IsDir() {
				return w.pattern, nil
			}
			return "", nil
		}
		if err := w.enter(folder{path: w.prefix}); err != nil {
			return "", err
		}
	}
	for len(w.stack) > 0 {
		top := &w.stack[len(w.stack)-1]
		if len(top.names) == 0 {
			w.stack = w.stack[:len(w.stack)-1]
			continue
		}
		e := top.names[0]
		top.names = top.names[1:]
		p := top.path + e.key
		if !e.isDir {
			if ok, _ := doublestar.Match(w.pattern, p); ok {
				return p, nil
			}
			continue
		}
		below := folder{path: p, depth: top.depth + 1, crossed: top.crossed}
		if !w.leads(top, &below, e.key[:len(e.key)-1]) {
			continue
		}
		if err := w.enter(below); err != nil {
			return "", err
		}
	}
	return "", nil
}

// leads reports whether something below a folder can match.
func (w *walk) leads(top, below *folder, name string) bool {
	if w.elems == nil || top.crossed {
		below.crossed = true
		return true
	}
	if top.depth >= len(w.elems) {
		return false
	}
	if w.elems[top.depth] == "**" {
		below.crossed = true
		return true
	}
	if top.depth == len(w.elems)-1 {
		return false
	}
	ok, _ := doublestar.Match(w.elems[top.depth], name)
	return ok
}

func (w *walk) abs(p string) string {
	if w.root == "" {
		return p
	}
	if p == "" {
		return w.root
	}
	return w.root + string(os.PathSeparator) + p
}

func (w *walk) enter(f folder) error {
	list, err := os.ReadDir(w.abs(f.path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("glob %s: %s: %w", w.pattern, f.path, cause(err))
	}
	f.names = make([]dirEntry, 0, len(list))
	for _, d := range list {
		e := dirEntry{key: d.Name(), isDir: d.IsDir()}
		if d.Type()&fs.ModeSymlink != 0 {
			st, err := os.Stat(w.abs(f.path + e.key))
			if err != nil {
				continue // a dangling link names no file
			}
			e.isDir = st.IsDir()
			if e.isDir && (f.crossed || w.elems == nil || w.elems[f.depth] == "**") {
				continue
			}
		}
		if e.isDir {
			e.key += "/"
		}
		f.names = append(f.names, e)
	}
	slices.SortFunc(f.names, func(a, b dirEntry) int { return strings.Compare(a.key, b.key) })
	w.stack = append(w.stack, f)
	return nil
}
