// Package docs_test holds the documents to the code: their job files are right,
// their links lead somewhere, the tests that they name exist, their examples are
// run, and their programs print what is said.
package docs_test

import (
	"fmt"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/config"
)

func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	for _, pattern := range []string{"../*.md", "*.md", "decisions/*.md", "../bench/*.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			docs[path] = string(b)
		}
	}
	if docs["../README.md"] == "" || docs["job-file.md"] == "" {
		t.Fatal("README.md and job-file.md are not among the documents")
	}
	return docs
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

func TestDocuments_JobFilesAreRight(t *testing.T) {
	t.Parallel()
	for path, text := range documents(t) {
		for _, m := range yamlBlock.FindAllStringSubmatch(text, -1) {
			if _, err := config.Parse("job.yaml", []byte(m[1])); err != nil {
				t.Errorf("%s:\n%s\n%v", path, m[1], err)
			}
		}
	}
}

var (
	code = regexp.MustCompile("(?ms)^```.*?^```$|`[^`\n]*`")
	link = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
)

func TestDocuments_LinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for path, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(text, "code"), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

var (
	testName   = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)`")
	testFunc   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	goFileName = regexp.MustCompile("`([a-z/]+/[a-z_0-9]+(?:_test)?\\.go)`")
)

func TestArchitecture_NamesTestsAndFilesThatExist(t *testing.T) {
	t.Parallel()
	defined := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllStringSubmatch(string(b), -1) {
			defined[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range documents(t) {
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			if !defined[m[1]] && path != "../CONTRIBUTING.md" { // that one shows the form of a name
				t.Errorf("%s names %s, which is no test", path, m[1])
			}
		}
		for _, m := range goFileName.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

var (
	example       = regexp.MustCompile("`(Example(?:[A-Z_]\\w*)?)`")
	linkedExample = regexp.MustCompile("\\[`(Example(?:[A-Z_]\\w*)?)`\\]\\(([^)]+_test\\.go)\\)")
	tableRow      = regexp.MustCompile(`(?m)^\|.*\|$`)
)

// runs reports whether a file has an Example that the tests compare with its output.
func runs(t *testing.T, path, name string) bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(doc.Examples(f), func(e *doc.Example) bool {
		return "Example"+e.Name == name && (e.Output != "" || e.EmptyOutput)
	})
}

func TestDocuments_ExamplesRun(t *testing.T) {
	t.Parallel()
	for path, text := range documents(t) {
		linked := linkedExample.FindAllStringSubmatch(text, -1)
		if all := example.FindAllString(text, -1); len(all) != len(linked) {
			t.Errorf("%s names %d examples, and links %d of them to their files", path, len(all), len(linked))
		}
		for _, m := range linked {
			if !runs(t, filepath.Join(filepath.Dir(path), m[2]), m[1]) {
				t.Errorf("%s: %s has no %s with an output", path, m[2], m[1])
			}
		}
	}
}

func TestPython_EveryRowHasAnExample(t *testing.T) {
	t.Parallel()
	rows := 0
	for _, row := range tableRow.FindAllString(documents(t)["python.md"], -1) {
		if strings.HasPrefix(row, "| Python ") || strings.HasPrefix(row, "| --- ") {
			continue
		}
		rows++
		if !linkedExample.MatchString(row) {
			t.Errorf("no example: %s", row)
		}
	}
	if rows < 50 {
		t.Errorf("%d rows, want the whole table", rows)
	}
}

// program is a whole program in a document, and what it prints.
var program = regexp.MustCompile("(?ms)^```go\n(package main\n.*?)^```\n\n```\n(.*?)^```$")

func TestDocuments_ProgramsPrintWhatIsSaid(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("programs are built")
	}
	for path, text := range documents(t) {
		programs := program.FindAllStringSubmatch(text, -1)
		if n := strings.Count(text, "```go\npackage main\n"); n != len(programs) {
			t.Errorf("%s has %d programs, and what they print of %d", path, n, len(programs))
		}
		for i, m := range programs {
			t.Run(fmt.Sprint(filepath.Base(path), "#", i), func(t *testing.T) {
				t.Parallel()
				file := filepath.Join(t.TempDir(), "main.go")
				if err := os.WriteFile(file, []byte(m[1]), 0o666); err != nil {
					t.Fatal(err)
				}
				got, err := exec.CommandContext(t.Context(), "go", "run", file).CombinedOutput()
				if err != nil || string(got) != m[2] {
					t.Errorf("it prints\n%s(%v), the document says\n%s", got, err, m[2])
				}
			})
		}
	}
}

var (
	floorRow    = regexp.MustCompile(`(?m)^\| (\d) \| ([^|]*) \|`)
	packageName = regexp.MustCompile("`([^`]+)`")
)

// TestArchitecture_PackagesImportDownwards compares what packages import with the
// table of floors.
func TestArchitecture_PackagesImportDownwards(t *testing.T) {
	t.Parallel()
	place := map[string]int{} // lower floors, and on a floor what stands left, first
	for _, row := range floorRow.FindAllStringSubmatch(documents(t)["architecture.md"], -1) {
		floor := int(row[1][0] - '0')
		for i, name := range packageName.FindAllStringSubmatch(row[2], -1) {
			place[name[1]] = 100*floor + i
		}
	}
	const module = "github.com/feac4032/multiproc/"
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		pkg := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../")
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "examples" || d.Name() == "bench"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go"), strings.HasSuffix(path, "_test.go"), strings.HasSuffix(pkg, "test"):
			return nil
		}
		if place[pkg] == 0 && pkg != "ipc" {
			return fmt.Errorf("%s is on no floor", pkg)
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
			if ours && place[imported] >= place[pkg] {
				t.Errorf("%s imports %s, which is not below it", path, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
