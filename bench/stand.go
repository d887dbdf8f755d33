package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed source/floor.c
var floorC []byte

//go:embed source/peers.py
var peersPy []byte

//go:embed source/payload.py
var payloadPy []byte

// Stand is what the subjects need: the programs that were built for them and the
// tools that were found. It lives in one temporary folder.
type Stand struct {
	dir      string
	programs map[string]string // by the names that subjects use: paths
	compiler string            // of the floors
	tools    map[string]string // versions of the tools that are there
}

// newStand builds and looks around. It has to be called in the folder of this
// module.
func newStand(ctx context.Context, progress io.Writer) (_ *Stand, err error) {
	if _, err := os.Stat(filepath.Join("..", "cmd", "supervisor")); err != nil {
		return nil, fmt.Errorf("run this in the folder bench of the repository: %w", err)
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	s := &Stand{dir: dir, programs: map[string]string{}, tools: map[string]string{}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	fmt.Fprintln(progress, "building")
	for _, b := range []struct{ in, pkg string }{
		{"..", "./cmd/supervisor"}, {"..", "./cmd/worker"}, {".", "./ours"}, {".", "./hello"},
	} {
		if err := s.build(ctx, b.in, b.pkg); err != nil {
			return nil, err
		}
	}
	if err := s.buildFloor(ctx); err != nil {
		return nil, err
	}
	for name, text := range map[string][]byte{"peers.py": peersPy, "payload.py": payloadPy} {
		s.programs[name] = filepath.Join(dir, name)
		if err := os.WriteFile(s.programs[name], text, 0o666); err != nil {
			return nil, err
		}
	}
	if s.programs["bench"], err = os.Executable(); err != nil {
		return nil, err
	}
	s.look(ctx)
	return s, ctx.Err()
}

// close removes all of it.
func (s *Stand) close() error { return os.RemoveAll(s.dir) }

// build builds a program as a user would for production.
func (s *Stand) build(ctx context.Context, in, pkg string) error {
	name := filepath.Base(pkg)
	s.programs[name] = filepath.Join(s.dir, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", s.programs[name], pkg)
	cmd.Dir = in
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// buildFloor compiles the floors from C, or builds those in Go where there is no
// compiler. CC is the compiler; "none" is none.
func (s *Stand) buildFloor(ctx context.Context) error {
	candidates := []string{"cc", "gcc", "clang"}
	if cc := os.Getenv("CC"); cc != "" {
		candidates = []string{cc}
	}
	for _, cc := range candidates {
		path, err := exec.LookPath(cc)
		if err != nil {
			continue
		}
		source := filepath.Join(s.dir, "floor.c")
		if err := os.WriteFile(source, floorC, 0o666); err != nil {
			return err
		}
		s.programs["floor"] = filepath.Join(s.dir, "floor")
		out, err := exec.CommandContext(ctx, path, "-O2", "-o", s.programs["floor"], source).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s floor.c: %w\n%s", cc, err, out)
		}
		s.compiler = firstLine(ctx, path, "--version")
		return nil
	}
	s.compiler = "none; the floors are in Go"
	return s.build(ctx, ".", "./floor")
}

// look finds the tools of the peers.
func (s *Stand) look(ctx context.Context) {
	for _, name := range []string{"xargs", "parallel"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if version := firstLine(ctx, path, "--version"); version != "" {
			s.programs[name], s.tools[name] = path, version
		}
	}
	// The interpreter that has joblib, else any. It is asked for its path, as the one
	// that is found may be a script which looks for it at every start.
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		found := firstLine(ctx, name, "-c", "import sys, platform; print(sys.executable, platform.python_version())")
		path, version, ok := strings.Cut(found, " ")
		if !ok {
			continue
		}
		joblib := firstLine(ctx, path, "-c", "import joblib; print(joblib.__version__)")
		if s.tools["python"] == "" || joblib != "" {
			s.programs["python"], s.tools["python"] = path, version
		}
		if joblib != "" {
			s.tools["joblib"] = joblib
			break
		}
	}
}

// firstLine is the first line that a program prints, "" if it cannot be run.
func firstLine(ctx context.Context, argv ...string) string {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// lacks says which tool of a subject is not there, "" if it has all.
func (s *Stand) lacks(tool string) string {
	if tool == "" || s.tools[tool] != "" {
		return ""
	}
	return "not installed"
}

// resolve puts paths in place of the names of programs.
func (s *Stand) resolve(argv []string) []string {
	paths := make([]string, len(argv))
	for i, arg := range argv {
		paths[i] = arg
		if path := s.programs[arg]; path != "" {
			paths[i] = path
		}
	}
	return paths
}
