package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/worker"
)

// TestMain lets the test binary be the guardian.
func TestMain(m *testing.M) {
	worker.Init()
	os.Exit(m.Run())
}

// python returns what runs the worker.
func python(t *testing.T) string {
	t.Helper()
	path, err := findPython(t.Context())
	if err != nil {
		t.Skip(err)
	}
	return path
}

func TestRun_PythonReturnsRaisesAndDies(t *testing.T) {
	t.Parallel()
	python(t)
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^looking at 8 numbers
mean 5.00, standard deviation 2.14
looking at 1 numbers
StatisticsError: .*at least two data points
File "<string>", line \d+, in stats
worker-1 died: segmentation fault
looking at 2 numbers
mean 1.50, standard deviation 0.71
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

var same = inPython[[]byte, []byte]("same")

func TestWorker_PayloadsOfAllSizes(t *testing.T) {
	t.Parallel()
	code := strings.Replace(workerPy, "TASKS = {", `TASKS = {"same": lambda v: v, `, 1)
	p, err := pool.New(t.Context(), pool.Config{Workers: 1, Program: pool.Program{Command: []string{python(t), "-c", code}}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, n := range []int{0, 1, 64<<10 - 3, 64<<10 - 2, 3 << 20, 1} {
		in := bytes.Repeat([]byte{byte(n)}, n)
		if out, err := pool.Call(t.Context(), p, same, in); err != nil || !bytes.Equal(in, out) {
			t.Errorf("%d bytes came back as %d, %v", n, len(out), err)
		}
	}
}
