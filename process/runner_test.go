//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/feac4032/multiproc/task"
)

// painter has a pointer for its receiver, plasterer has none.
type painter struct {
	Color string
	Coats int
}

func (p *painter) Run(context.Context) error {
	p.Coats++
	fmt.Printf("%d coats of %s by %v\n", p.Coats, p.Color, os.Getpid())
	if p.Color == "" {
		return errOutOfPaper
	}
	return nil
}

type plasterer struct{ Walls []string }

func (p plasterer) Run(context.Context) error {
	_ = p.Walls[4]
	return nil
}

var (
	painters = DefineRunner[*painter]("test/painter")
	_        = DefineRunner[plasterer]("test/plasterer")
)

func TestNewRunner_RunsACopyInItsProcess(t *testing.T) {
	t.Parallel()
	out := newLines(t)
	r := &painter{Color: "red", Coats: 1}
	p := NewRunner(r, WithStdout(out.w))
	r.Color = "blue" // before Start it counts
	start(t, p)
	r.Color = "green"
	if err := p.Join(within(t)); err != nil {
		t.Fatal(err)
	}
	if got, want := out.next(), fmt.Sprintf("2 coats of blue by %d", p.PID()); got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	if r.Coats != 1 {
		t.Errorf("%d coats: what the copy did has come back", r.Coats)
	}
}

func TestNewRunner_Outcomes(t *testing.T) {
	t.Parallel()
	p := NewRunner(&painter{}, WithStdout(nil))
	start(t, p)
	if e := exit(t, p, 1); !errors.Is(e, errOutOfPaper) || e.Task != "test/painter" {
		t.Errorf("%v, want what Run returned", e)
	}
	p = NewRunner(plasterer{})
	start(t, p)
	if e := exit(t, p, 1); e.Failure == nil || !e.Failure.Panic {
		t.Errorf("%v, want the panic of Run", e)
	}
	// Its task can be used like any other.
	c := New(painters, &painter{Color: "white"}, WithStdout(nil))
	start(t, c.Process)
	if _, err := c.Result(within(t)); err != nil {
		t.Error(err)
	}
}

func TestNewRunner_OfATypeThatIsNotDefinedIsErrOption(t *testing.T) {
	t.Parallel()
	for _, r := range []Runner{nil, &plasterer{}} {
		p := NewRunner(r)
		if err := p.Start(context.Background()); !errors.Is(err, ErrOption) {
			t.Errorf("Start of %T: %v, want ErrOption", r, err)
		}
	}
}

func TestDefineRunner_PanicsForATypeThatWasDefinedBefore(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a type was defined twice")
		}
		if _, taken := task.Lookup("test/again"); taken {
			t.Error("the name is taken all the same")
		}
	}()
	DefineRunner[*painter]("test/again")
}
