package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/internal/text"
)

func doctorFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "json", Usage: "print one object of JSON", DisableDefaultText: true},
	}
}

const doctorAbout = `Say which limits and which levels of isolation this machine can enforce for this user, by trying each of them, and what is missing and how to get it.
The exit code is 0 whenever it could answer, whatever the answer is.`

// doctor says what this machine can enforce.
func (s *command) doctor(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("doctor takes no arguments")
	}
	g, err := spawn.Open(spawn.Options{Path: besideWorker(), Exclusive: true})
	if err != nil {
		s.code = batch.ExitInternal
		return err
	}
	defer g.Close()
	survey, err := g.Survey()
	if err != nil {
		s.code = batch.ExitInternal
		return fmt.Errorf("doctor: %w", err)
	}
	d := diagnose(survey)
	w := bufio.NewWriter(s.stdout)
	if c.Bool("json") {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(d); err != nil {
			return err
		}
	} else {
		d.write(w)
	}
	return s.flush(w)
}

// diagnosis is what doctor prints. Its keys are stable: there may be more in later
// versions.
type diagnosis struct {
	Version   int              `json:"version"`
	System    system           `json:"system"`
	Limits    []limitDiagnosis `json:"limits"`
	Isolation []levelDiagnosis `json:"isolation"`
}

type system struct {
	OS     string `json:"os"`
	Kernel string `json:"kernel,omitempty"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	UID    int    `json:"uid"` // −1 where there are none
	User   string `json:"user,omitempty"`
}

type limitDiagnosis struct {
	Resource   string   `json:"resource"`
	EnforcedBy string   `json:"enforced_by,omitempty"` // absent = it cannot be enforced
	Others     []string `json:"others,omitempty"`
	Why        string   `json:"why,omitempty"`
	Fix        string   `json:"fix,omitempty"`
}

type levelDiagnosis struct {
	Level     string          `json:"level"`
	Available bool            `json:"available"` // all of its parts are
	Parts     []partDiagnosis `json:"parts"`     // those of the levels below it are not repeated
}

type partDiagnosis struct {
	Name      string `json:"name"`
	Available bool   `json:"available"`
	Why       string `json:"why,omitempty"`
	Fix       string `json:"fix,omitempty"`
}

func diagnose(s *spawn.Survey) *diagnosis {
	d := &diagnosis{Version: 1, System: system{
		OS: runtime.GOOS, Kernel: kernel(), Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), UID: os.Getuid(),
	}}
	if u, err := user.Current(); err == nil {
		d.System.User = u.Username
	}
	for _, l := range s.Limits {
		d.Limits = append(d.Limits, limitDiagnosis{l.Resource, l.EnforcedBy, l.Others, l.Why, l.Fix})
	}
	d.Limits = append(d.Limits, limitDiagnosis{Resource: "output", EnforcedBy: "supervisor"})
	below := true
	for level := spawn.Plain; level <= spawn.Sandbox; level++ {
		l := levelDiagnosis{Level: level.String(), Available: below, Parts: []partDiagnosis{}}
		for _, p := range s.Parts {
			if p.Level == level {
				l.Parts = append(l.Parts, partDiagnosis{p.Name, p.OK, p.Why, p.Fix})
				l.Available = l.Available && p.OK
			}
		}
		below = l.Available
		d.Isolation = append(d.Isolation, l)
	}
	return d
}

// doctorColumns is how wide the text is at most.
const doctorColumns = 78

func (d *diagnosis) write(w io.Writer) {
	sys := strings.TrimSpace(title(d.System.OS) + " " + d.System.Kernel)
	who := d.System.User
	if who == "" {
		who = "uid " + strconv.Itoa(d.System.UID)
	}
	fmt.Fprintf(w, "%s on %s, %d %s, as %s\n", sys, d.System.Arch, d.System.CPUs, text.Plural(int64(d.System.CPUs), "CPU", "CPUs"), text.Plain(who, 64))

	fmt.Fprintf(w, "\nLimits\n")
	for _, l := range d.Limits {
		by := l.EnforcedBy
		switch {
		case by == "":
			by = "not available"
		case len(l.Others) > 0:
			by = fmt.Sprintf("%-11s (or %s)", by, strings.Join(l.Others, ", "))
		}
		fmt.Fprintf(w, "  %-11s %s\n", l.Resource, by)
	}

	fmt.Fprintf(w, "\nIsolation\n")
	for _, l := range d.Isolation {
		var have, lack []string
		for _, p := range l.Parts {
			if p.Available {
				have = append(have, p.Name)
			} else {
				lack = append(lack, p.Name)
			}
		}
		state := "yes"
		switch {
		case l.Available:
		case len(have) > 0:
			state = "in part"
		default:
			state = "no"
		}
		line := fmt.Sprintf("%-11s %-8s %s", l.Level, state, strings.Join(have, ", "))
		if len(lack) > 0 {
			if len(have) > 0 {
				line += "; "
			}
			line += "not " + strings.Join(lack, ", ")
		}
		wrap(w, line, 2, 23)
	}
	d.writeMissing(w)
}

// writeMissing says what is not there, each reason once.
func (d *diagnosis) writeMissing(w io.Writer) {
	type lack struct{ what, why, fix string }
	var all []lack
	add := func(what, why, fix string) {
		if i := slices.IndexFunc(all, func(l lack) bool { return l.why == why && l.fix == fix }); i >= 0 {
			all[i].what += ", " + what
			return
		}
		all = append(all, lack{what, why, fix})
	}
	for _, l := range d.Limits {
		switch {
		case l.EnforcedBy == "":
			add(l.Resource, l.Why, l.Fix)
		case l.Why != "":
			add(l.Resource+" by the kernel", l.Why, l.Fix)
		}
	}
	for _, l := range d.Isolation {
		for _, p := range l.Parts {
			if !p.Available {
				add(p.Name, p.Why, p.Fix)
			}
		}
	}
	if len(all) == 0 {
		fmt.Fprintf(w, "\nNothing is missing.\n")
		return
	}
	fmt.Fprintf(w, "\nMissing\n")
	for _, l := range all {
		wrap(w, l.what+": "+l.why, 2, 6)
		if l.fix != "" {
			wrap(w, "to get it: "+l.fix, 6, 8)
		}
	}
}

// title writes the name of a system with a capital letter.
func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// wrap prints words in lines of at most doctorColumns, the first indented by first and
// the others by next.
func wrap(w io.Writer, words string, first, next int) {
	line := strings.Repeat(" ", first)
	used := first
	for i, word := range strings.SplitAfter(words, " ") {
		n := utf8.RuneCountInString(word)
		if i > 0 && used+n > doctorColumns+1 {
			fmt.Fprintln(w, strings.TrimRight(line, " "))
			line, used = strings.Repeat(" ", next), next
		}
		line += word
		used += n
	}
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}
