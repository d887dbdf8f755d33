// Package jobs_test runs the examples as their READMEs tell it, and holds them to
// what is said there.
package jobs_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the commands print into the READMEs")

// within bounds what one example takes, on a machine that is busy.
const within = 2 * time.Minute

// examples are the folders.
var examples = map[string]struct {
	ordered bool                     // what is printed comes in the order that is said
	check   func(*testing.T, string) // of the folder, once its commands have run
}{
	"thumbnails": {ordered: true, check: thumbnailsAreImages},
	"etl":        {},
	"sweep":      {check: sweepHasARowForEach},
	"downloads":  {check: downloadsAreWhole},
	"transcode":  {check: transcodesAreFew},
	"tests":      {check: junitNamesTheBug},
	"loggrep":    {ordered: true},
	"gpu":        {ordered: true},
	"pipeline":   {ordered: true},
	"resume":     {ordered: true},
	"goworker":   {ordered: true},
	"oneliner":   {ordered: true},
}

func TestJobs_DoWhatTheirReadmesSay(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("programs are built")
	}
	bin := build(t)
	folders, err := filepath.Glob("*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(folders) != len(examples) {
		t.Errorf("there are %d examples, %d are tested", len(folders), len(examples))
	}
	for name, example := range examples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), name)
			copyTo(t, name, dir)
			before := files(t, dir)
			readme := filepath.Join(name, "README.md")
			b, err := os.ReadFile(readme)
			if err != nil {
				t.Fatal(err)
			}
			said := console.FindAllStringSubmatch(string(b), -1)
			if len(said) != 1 {
				t.Fatalf("%s has %d blocks of console, want 1", readme, len(said))
			}
			steps := parse(said[0][1])
			printed := run(t, dir, bin, steps)
			if *update {
				write(t, readme, string(b), steps, printed, example.ordered)
				return
			}
			for i, s := range steps {
				if !same(printed[i], s.output, example.ordered) {
					t.Errorf("$ %s\nprints\n%s\nand not, as the README has it,\n%s", s.command, printed[i], s.output)
				}
			}
			if example.check != nil {
				example.check(t, dir)
			}
			if after := files(t, dir); !slices.Equal(before, after) {
				t.Errorf("files were %q, and are now %q: want new ones in out and .supervisor alone", before, after)
			}
		})
	}
}

// build makes the programs, and returns their folder.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/", "../../cmd/supervisor", "../../cmd/worker")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	// python3 may be the script of a version manager, which takes longer to find the
	// interpreter than that takes for all that it does here.
	python, err := exec.CommandContext(t.Context(), "python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Fatalf("python3: %v", err)
	}
	if err := os.Symlink(strings.TrimSpace(string(python)), filepath.Join(bin, "python3")); err != nil {
		t.Fatal(err)
	}
	return bin
}

// made reports whether a path is of what runs leave behind.
func made(path string) bool {
	first, _, _ := strings.Cut(filepath.ToSlash(path), "/")
	return first == "out" || first == ".supervisor"
}

// copyTo copies an example without what earlier runs have left there. It becomes a
// module of its own, beside ours, as a newcomer's copy is.
func copyTo(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range files(t, from) {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		save(t, filepath.Join(to, name), b, info.Mode().Perm())
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	const language = "\ngo 1.26.0\n"
	save(t, filepath.Join(to, "go.mod"), []byte("module example"+language), 0o666)
	save(t, filepath.Join(filepath.Dir(to), "go.work"), fmt.Appendf(nil, "%s\nuse (\n%q\n%q\n)\n", language, root, to), 0o666)
}

func save(t *testing.T, path string, b []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, mode); err != nil {
		t.Fatal(err)
	}
}

// files lists an example, without what runs leave behind.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && made(path):
			return fs.SkipDir
		case !d.IsDir():
			names = append(names, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// step is a command of a README, and what it prints there.
type step struct{ command, output string }

var console = regexp.MustCompile("(?s)```console\n(.*?)```")

func parse(block string) (steps []step) {
	for line := range strings.Lines(block) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			steps = append(steps, step{command: strings.TrimSpace(command)})
		} else if last := len(steps) - 1; last >= 0 {
			steps[last].output += line
		}
	}
	return steps
}

// run gives the steps to one shell, so that echo $? says what it says to a reader,
// and returns what each of them printed; the example's folder is as …/NAME there.
func run(t *testing.T, dir, bin string, steps []step) []string {
	t.Helper()
	outputs := t.TempDir()
	var script strings.Builder
	for i, s := range steps {
		fmt.Fprintf(&script, "{ %s\n} >%q/%d 2>&1\n", s.command, outputs, i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "LC_ALL=C",
		"GOWORK="+filepath.Join(filepath.Dir(dir), "go.work"))
	var stray bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stray, &stray, time.Second
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited || ctx.Err() != nil {
		t.Fatalf("%v, %v\n%s", err, ctx.Err(), stray.String())
	}
	if stray.Len() > 0 {
		t.Fatalf("the shell says\n%s", stray.String())
	}
	printed := make([]string, len(steps))
	for i := range steps {
		b, err := os.ReadFile(filepath.Join(outputs, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		printed[i] = strings.ReplaceAll(string(b), dir, "…/"+filepath.Base(dir))
	}
	return printed
}

// write puts what was printed into a README, where that is something else.
func write(t *testing.T, readme, text string, steps []step, printed []string, ordered bool) {
	t.Helper()
	var block strings.Builder
	for i, s := range steps {
		output := s.output
		if !same(printed[i], output, ordered) {
			output = printed[i]
		}
		fmt.Fprintf(&block, "$ %s\n%s", s.command, output)
	}
	at := console.FindStringSubmatchIndex(text)
	save(t, readme, []byte(text[:at[2]]+block.String()+text[at[3]:]), 0o666)
}

var (
	duration = regexp.MustCompile(`\b([0-9]+m)?[0-9]+(\.[0-9]+)?(µs|ms|s)\b`)
	port     = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
)

// same compares outputs without durations and ports. What the supervisor says
// comes between what instances print, and instances end in any order: where theirs
// is not certain, lines are compared in that of their bytes.
func same(got, want string, ordered bool) bool {
	told := func(output string) (lines, supervisors []string) {
		output = port.ReplaceAllString(duration.ReplaceAllString(output, "1s"), "127.0.0.1:1")
		for line := range strings.Lines(output) {
			if strings.HasPrefix(line, "supervisor: 1s: ") {
				continue // how far it is, which only a slow machine is told
			}
			if strings.HasPrefix(line, "supervisor: ") || strings.HasPrefix(line, "    ") {
				supervisors = append(supervisors, line)
			} else {
				lines = append(lines, line)
			}
		}
		if !ordered {
			slices.Sort(lines)
			slices.Sort(supervisors)
		}
		return lines, supervisors
	}
	lines, supervisors := told(got)
	wantLines, wantSupervisors := told(want)
	return slices.Equal(lines, wantLines) && slices.Equal(supervisors, wantSupervisors)
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func thumbnailsAreImages(t *testing.T, dir string) {
	for _, name := range []string{"dawn", "sea", "wood"} {
		for _, width := range []int{6, 12} {
			file := fmt.Sprintf("%s-%d", name, width)
			image, err := png.Decode(bytes.NewReader(read(t, dir, "out", file+".png")))
			if err != nil {
				t.Errorf("%s.png: %v", file, err)
				continue
			}
			height := width * 16 / 24
			if b := image.Bounds(); b.Dx() != width || b.Dy() != height {
				t.Errorf("%s.png is %v, want %d × %d", file, b, width, height)
			}
			// The other format has the same pixels.
			head := fmt.Sprintf("P6 %d %d 255\n", width, height)
			pixels, ok := bytes.CutPrefix(read(t, dir, "out", file+".ppm"), []byte(head))
			if !ok || len(pixels) != 3*width*height {
				t.Errorf("%s.ppm does not begin with %q, or is not as long as that says", file, head)
				continue
			}
			for i := range width * height {
				r, g, b, _ := image.At(i%width, i/width).RGBA()
				if got := [3]byte{byte(r >> 8), byte(g >> 8), byte(b >> 8)}; got != [3]byte(pixels[3*i:]) {
					t.Errorf("%s.png has %v as pixel %d, %s.ppm %v", file, got, i, file, pixels[3*i:3*i+3])
					break
				}
			}
		}
	}
}

func sweepHasARowForEach(t *testing.T, dir string) {
	rows, err := csv.NewReader(bytes.NewReader(read(t, dir, "out", "sweep.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]int{}
	for _, row := range rows[1:] {
		outcomes[row[slices.Index(rows[0], "outcome")]]++
	}
	if len(rows) != 1+9+1 || outcomes["ok"] != 9 || outcomes["failed"] != 1 {
		t.Errorf("%d rows, %v, want a head, nine combinations, the best, and one that failed", len(rows), outcomes)
	}
}

func downloadsAreWhole(t *testing.T, dir string) {
	for _, name := range []string{"alpha.txt", "beta.txt", "gamma.txt", "delta.txt"} {
		if !bytes.Equal(read(t, dir, "out", name), read(t, dir, "mirror", name)) {
			t.Errorf("%s is not what the server has", name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "out", "gone.txt")); !os.IsNotExist(err) {
		t.Errorf("gone.txt, which the server has not: %v", err)
	}
}

func transcodesAreFew(t *testing.T, dir string) {
	var events []struct {
		Name    string  `json:"name"`
		Ph      string  `json:"ph"`
		Ts, Dur float64 // in microseconds
	}
	if err := json.Unmarshal(read(t, dir, "out", "trace.json"), &events); err != nil {
		t.Fatal(err)
	}
	type edge struct {
		at   float64
		more int
	}
	var edges []edge
	for _, e := range events {
		if e.Ph == "X" && strings.HasPrefix(e.Name, "transcode") {
			edges = append(edges, edge{e.Ts, 1}, edge{e.Ts + e.Dur, -1})
		}
	}
	if len(edges) != 2*6 {
		t.Fatalf("the trace has %d transcodes, want 6", len(edges)/2)
	}
	slices.SortFunc(edges, func(a, b edge) int {
		if a.at == b.at {
			return a.more - b.more
		}
		return int(max(-1, min(1, a.at-b.at)*2))
	})
	running, most := 0, 0
	for _, e := range edges {
		running += e.more
		most = max(most, running)
	}
	if most > 2 {
		t.Errorf("%d transcodes at a time, their memory is for two", most)
	}
	for _, name := range []string{"low", "middle", "high"} {
		for rate, want := range map[string]int{"8000": 4000, "4000": 2000} {
			b := read(t, dir, "out", name+"-"+rate+".wav")
			if !bytes.HasPrefix(b, []byte("RIFF")) || len(b) != 44+want {
				t.Errorf("%s-%s.wav has %d bytes, want a head of 44 and %d samples", name, rate, len(b), want)
			}
		}
	}
}

func junitNamesTheBug(t *testing.T, dir string) {
	var suite struct {
		Cases []struct {
			Class   string `xml:"classname,attr"`
			Failure *struct {
				Message string `xml:"message,attr"`
			} `xml:"failure"`
			Stderr string `xml:"system-err"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.Unmarshal(read(t, dir, "out", "junit.xml"), &suite); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, c := range suite.Cases {
		if c.Failure != nil && c.Class == "shard" && strings.Contains(c.Stderr, "test_nothing_is_lost") {
			failed++
		}
	}
	if len(suite.Cases) != 4 || failed != 1 {
		t.Errorf("%d test cases, %d of them tell of the bug; want 4 and 1", len(suite.Cases), failed)
	}
}
