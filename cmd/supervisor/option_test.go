package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestOptions_OfferWhatIsAccepted runs each value that is offered for a flag.
func TestOptions_OfferWhatIsAccepted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "job.yaml")
	if err := os.WriteFile(file, []byte("jobs: [{id: a, run: [echo]}]\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range new(command).app().Commands {
		if c.Name != "run" {
			continue
		}
		for _, o := range optionsOf(c) {
			for _, v := range o.values {
				seen[o.names[0]] = true
				var stdout, stderr bytes.Buffer
				args := []string{"supervisor", "run", "-dry-run", "-" + o.names[0], v, file}
				if code := supervise(args, nil, &stdout, &stderr); code != 0 {
					t.Errorf("-%s %s is offered, and refused: %s", o.names[0], v, stderr.String())
				}
			}
		}
	}
	for name := range choices {
		if !seen[name] {
			t.Errorf("nothing is offered for -%s: there is no such flag, or its usage names no value", name)
		}
	}
}

// TestOptions_AreThoseOfTheApp adds a command as any other, and finds it in all
// that is made from them.
func TestOptions_AreThoseOfTheApp(t *testing.T) {
	t.Parallel()
	app := new(command).app()
	app.Commands = append(app.Commands,
		&cli.Command{Name: "juggle", Usage: "keep 'balls' [and clubs]: all up", ArgsUsage: "[FILE]", Flags: []cli.Flag{
			&cli.StringFlag{Name: "balls", Aliases: []string{"b"}, Value: "3", Usage: "throw `N`: it's \\ …"},
			&cli.StringFlag{Name: "secret", Hidden: true, Usage: "no `N`"},
		}},
		&cli.Command{Name: "wrap", Usage: "do", ArgsUsage: "-- CMD [ARG]..."},
		&cli.Command{Name: "stumble", Hidden: true},
	)
	var bash, zsh, fish strings.Builder
	completeBash(&bash, app)
	completeZsh(&zsh, app)
	completeFish(&fish, app)
	i := slices.IndexFunc(app.Commands, func(c *cli.Command) bool { return c.Name == "juggle" })
	for _, c := range []struct{ what, text, want string }{
		{"bash", bash.String(), "juggle:-balls|juggle:-b) :; return ;;"},
		{"bash", bash.String(), "_supervisor_words -W '-balls -b' ;;"},
		{"bash", bash.String(), "in ''|each|wrap) _supervisor_words -c ;;"},
		{"zsh", zsh.String(), `'*::command:_normal'`},
		{"fish", fish.String(), `-n '__fish_seen_subcommand_from wrap' -a '(__fish_complete_subcommand)'`},
		{"zsh", zsh.String(), `'juggle:keep '\''balls'\'' [and clubs]\: all up'`},
		{"zsh", zsh.String(), `'-b[throw N\: it'\''s \\ …]:N: '`},
		{"fish", fish.String(), `-n '__fish_seen_subcommand_from juggle' -o balls -s b -x -d 'throw N: it\'s \\ …'`},
		{"page of all", mainPage(app), "\\fBjuggle\\fR \\fI[FILE]\\fR\nKeep \\(aqballs\\(aq [and clubs]: all up.\n"},
		{"page", commandPage(app, app.Commands[i]), "\\fB\\-balls\\fR \\fIN\\fR, \\fB\\-b\\fR \\fIN\\fR\nThrow N: it\\(aqs \\e \\[u2026]; default: 3.\n"},
	} {
		if !strings.Contains(c.text, c.want) {
			t.Errorf("%s: there is no %q in\n%s", c.what, c.want, c.text)
		}
		for _, hidden := range []string{"secret", "stumble"} {
			if strings.Contains(c.text, hidden) {
				t.Errorf("%s: it shows %s", c.what, hidden)
			}
		}
	}
}
