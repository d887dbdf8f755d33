package faulttest_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// outside is a fault that comes to the supervisor, or to what it stands on, while
// the neighbours of steady run.
type outside struct {
	name string
	play func(r *trial, base *baseline)

	waits bool // it takes long, and no processor
}

func (o *outside) run(t *testing.T) {
	t.Parallel()
	base := faultFree(t)
	r := newTrial(t, o.waits)
	r.write("job.yaml", "name: faults\njobs:"+steady)
	o.play(r, base)
}

// outsides plays these, in short mode one of ten.
func outsides(t *testing.T, all []outside) {
	t.Parallel()
	for i := range all {
		if testing.Short() && i%10 != 0 {
			continue
		}
		t.Run(all[i].name, all[i].run)
	}
}

// steadily are the arguments of a run of steady.
func steadily(more ...string) []string {
	return append([]string{"run", "-no-progress", "-workers", "3", "-report", "report.json", "-events", "events"}, more...)
}

// going starts a run of steady, and returns when so many of its instances have ended.
func (r *trial) going(ends int, more ...string) *started {
	r.Helper()
	cmd := r.command(steadily(more...)...)
	r.stderrTo(cmd, "stderr")
	s := r.start(cmd)
	r.ends(ends)
	return s
}

// ends waits until so many instances have ended.
func (r *trial) ends(n int) {
	r.Helper()
	r.await(fmt.Sprint(n, " instances have ended"), func() bool {
		b, _ := os.ReadFile(filepath.Join(r.dir, "events"))
		return strings.Count(string(b), `"job.end"`) >= n
	})
}

// of is what a run of steady comes to that ends with this code.
func of(code int) *row {
	return &row{code: code, want: "ok", within: 30 * time.Second, steady: true}
}

// cut is of for one that does not come to its end.
func cut(code int) *row {
	w := of(code)
	w.halted = true
	return w
}

// killed is of for a supervisor that was.
func killed() *row {
	w := of(128 + int(syscall.SIGKILL))
	w.killed = true
	return w
}

// lossy is of for one that loses its journal on the way: report and events know of
// more than is recorded. What could not be synced may have come to the disk all the
// same, and is then recorded though nobody was told.
func lossy(code int) *row {
	w := cut(code)
	w.killed = true
	return w
}

// with adds flags.
func (w *row) with(flags ...string) *row {
	w.flags = append(w.flags, flags...)
	return w
}

// resumed resumes the run and checks that nothing is lost, nothing done twice, and
// all of it ok in the end.
func (r *trial) resumed(base *baseline, before call, first map[string]*record, more ...string) {
	r.Helper()
	c := r.call(steadily(append(more, "-resume")...)...)
	r.checkResumed(c, of(0).with(more...), base, first)
	// What was ok and printed is not printed again. Both it may have been before it was
	// not ok.
	again := map[string]bool{}
	for line := range strings.Lines(c.stdout) {
		again[line] = true
	}
	for line := range strings.Lines(before.stdout) {
		var n int
		if k, _ := fmt.Sscanf(line, "many %d\n", &n); k != 1 || !strings.HasSuffix(line, "\n") {
			continue
		}
		switch rec := first[fmt.Sprint("many#", n-1)]; {
		case rec == nil:
			r.Errorf("%q was printed, and is not recorded", line)
		case rec.Outcome == "ok" && again[line]:
			r.Errorf("%q was printed twice", line)
		}
	}
}

// guardian is the child of a supervisor.
func (r *trial) guardian(supervisor int) (pid int) {
	r.Helper()
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", supervisor))
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		if n, _ := fmt.Sscan(string(b), &pid); n == 1 {
			return pid
		}
	}
	r.Fatal("the supervisor has no child")
	return 0
}

// sleeper is the process of an instance of many.
func (r *trial) sleeper(guardian int) (pid int) {
	r.Helper()
	r.await("a command runs", func() bool {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", guardian))
		for _, list := range lists {
			b, _ := os.ReadFile(list)
			for f := range strings.FieldsSeq(string(b)) {
				if line, _ := os.ReadFile("/proc/" + f + "/cmdline"); strings.Contains(string(line), "many") {
					fmt.Sscan(f, &pid)
					return true
				}
			}
		}
		return false
	})
	return pid
}

// signalled is a run that a signal ends.
func signalled(sig syscall.Signal, times, code int) func(*trial, *baseline) {
	return func(r *trial, base *baseline) {
		s := r.going(45)
		for range times {
			s.Process.Signal(sig)
			r.await("stderr speaks of the signal", func() bool { return r.has("stderr", sig.String()) || r.has("stderr", "running job") })
		}
		c := r.ended(s)
		r.resumed(base, c, r.check(c, cut(code), base))
	}
}

// A fault of the supervisor, or of what it stands on, loses nothing that was told
// as done, and the run can be resumed.
func TestFaults_Supervisor(t *testing.T) {
	// What this process ignores, as under nohup, its children would ignore as well. What
	// it has a handler for they begin with as usual.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	t.Cleanup(func() { signal.Stop(ignored) })
	outsides(t, []outside{
		{name: "SIGKILL in the middle", play: killedAfter(60)},
		{name: "SIGKILL at the start", play: killedAfter(1)},
		{name: "SIGKILL near the end", play: killedAfter(95)},
		{name: "SIGKILL over processes that hide", play: func(r *trial, base *baseline) {
			r.write("job.yaml", r.read("job.yaml")+`  - id: far
    priority: 1
    shell: '[ -e go ] || { (setsid env -i sh -c "(exec sleep 60 &)" &); trap "" TERM HUP; echo up >>up; sleep 60; sleep 60; }'
`)
			s := r.going(45)
			r.await("they are up", func() bool { return r.has("up", "up") })
			s.Process.Kill()
			c := r.ended(s)
			first := r.check(c, killed(), base) // which waits 2 s for their end
			r.write("go", "")
			r.resumed(base, c, first)
		}},
		{name: "SIGKILL again and again", play: func(r *trial, base *baseline) {
			var first map[string]*record
			var c call
			for i := range 4 {
				more := []string{}
				if i > 0 {
					more = append(more, "-resume")
				}
				os.Remove(filepath.Join(r.dir, "events"))
				s := r.going(12, more...)
				s.Process.Kill()
				c = r.ended(s)
				if first = r.checkResumed(c, killed(), base, first); r.Failed() {
					return
				}
			}
			r.resumed(base, call{}, first)
		}},
		{name: "SIGKILL of the guardian", play: func(r *trial, base *baseline) {
			s := r.going(45)
			syscall.Kill(r.guardian(s.Process.Pid), syscall.SIGKILL)
			c := r.ended(s)
			r.resumed(base, c, r.check(c, cut(5), base))
		}},
		{name: "SIGKILL of guardian and command", play: func(r *trial, base *baseline) {
			s := r.going(45)
			guardian := r.guardian(s.Process.Pid)
			syscall.Kill(r.sleeper(guardian), syscall.SIGKILL)
			syscall.Kill(guardian, syscall.SIGKILL)
			c := r.ended(s)
			r.resumed(base, c, r.check(c, cut(5), base))
		}},
		{name: "SIGKILL of supervisor and guardian", play: func(r *trial, base *baseline) {
			s := r.going(45)
			syscall.Kill(r.guardian(s.Process.Pid), syscall.SIGKILL)
			s.Process.Kill()
			c := r.ended(s)
			r.resumed(base, c, r.check(c, killed(), base))
		}},
		{name: "SIGINT", play: signalled(syscall.SIGINT, 1, 130)},
		{name: "SIGINT twice", play: signalled(syscall.SIGINT, 2, 130)},
		{name: "SIGTERM", play: signalled(syscall.SIGTERM, 1, 143)},
		{name: "SIGHUP", play: signalled(syscall.SIGHUP, 1, 129)},
		{name: "SIGSTOP for 5 s", waits: true, play: func(r *trial, base *baseline) {
			r.write("job.yaml", r.read("job.yaml")+"  - {id: slow, shell: 'echo up >>up; sleep 3', timeout: 5s}\n")
			s := r.going(45)
			r.await("the slow one is up", func() bool { return r.has("up", "up") })
			s.Process.Signal(syscall.SIGSTOP)
			time.Sleep(5 * time.Second) // what is tested is that nothing comes of it
			s.Process.Signal(syscall.SIGCONT)
			r.check(r.ended(s), of(0), base)
		}},
		{name: "stdout closed at the start", play: throughShell(`exec "$SUPERVISOR" "$@" >&-`, 0)},
		{name: "stdout full", play: throughShell(`exec "$SUPERVISOR" "$@" >/dev/full`, 5)},
		{name: "stdout closed midway", play: func(r *trial, base *baseline) {
			// The reader leaves after a line; what it could not be shown is another matter.
			cmd := r.shell(`{ "$SUPERVISOR" "$@"; echo $? >code; } | head -1 >/dev/null`, steadily()...)
			c := r.finish(cmd)
			fmt.Sscan(r.read("code"), &c.code)
			w := cut(5)
			w.says = "nobody reads stdout any more"
			r.resumed(base, call{}, r.check(c, w, base))
		}},
		{name: "EMFILE", play: func(r *trial, base *baseline) {
			// The limit is met in another place each time: in the guardian, the journal, at
			// the start of a worker or of a command.
			for limit := 10; limit <= 58; limit += 6 {
				state := fmt.Sprint("state", limit)
				c := r.finish(r.shell(fmt.Sprintf(`ulimit -n %d; exec "$SUPERVISOR" "$@"`, limit), steadily("-state", state)...))
				if c.code != 0 && !strings.Contains(c.stderr, "too many open files") && !strings.Contains(c.stderr, "unable to open") {
					r.Errorf("with %d descriptors: exit code %d\n%s", limit, c.code, shorten(c.stderr))
				}
				w := lossy(c.code)
				w.flags = []string{"-state", state}
				switch runs, _ := filepath.Glob(filepath.Join(r.dir, state, "runs", "*", "journal.db")); {
				case c.code == 0:
					r.check(c, w, base)
					return
				case c.code != 2 && c.code != 3 && c.code != 5:
					r.Errorf("with %d descriptors: exit code %d\n%s", limit, c.code, shorten(c.stderr))
				case len(runs) == 0:
					r.check(r.call(steadily("-state", state)...), of(0).with("-state", state), base)
				default:
					r.resumed(base, call{}, r.check(c, w, base), "-state", state)
				}
			}
		}},
		{name: "ENOSPC of the journal", play: func(r *trial, base *baseline) {
			disk := r.disk("disk", "1m")
			r.write("job.yaml", r.read("job.yaml")+"  - {id: fat, run: [head, -c, '20000', /dev/zero], foreach: {range: 1..100}}\n")
			c := r.call(steadily("-state", "disk/state")...)
			w := lossy(5).with("-state", "disk/state")
			w.says = `(no space left on device|disk is full).*is the first`
			first := r.check(c, w, base)
			r.grow(disk, "64m")
			r.resumed(base, call{}, first, "-state", "disk/state")
		}},
		{name: "EIO of fsync", play: func(r *trial, base *baseline) {
			if _, err := exec.LookPath("strace"); err != nil {
				r.Skip(err)
			}
			c := r.finish(r.shell(`exec strace -f -qq -o /dev/null -e trace=fsync,fdatasync -e inject=fsync,fdatasync:error=EIO:when=12+ "$SUPERVISOR" "$@"`, steadily()...))
			w := lossy(5)
			w.says = "input/output error|disk I/O error"
			if _, err := r.journal(".supervisor"); err != nil && c.code == 5 {
				r.check(r.call(steadily()...), of(0), base) // it was over before anything began
				return
			}
			r.resumed(base, call{}, r.check(c, w, base))
		}},
		{name: "state folder is another's", play: refused("belongs to user 65534", func(state string) error {
			if err := os.Mkdir(state, 0o700); err != nil {
				return err
			}
			return os.Chown(state, 65534, 65534)
		})},
		{name: "state folder is a file", play: refused("not a directory", func(state string) error { return os.WriteFile(state, nil, 0o600) })},
		{name: "symlink in the state folder", play: refused("symbolic link", func(state string) error {
			if err := os.Mkdir(state, 0o700); err != nil {
				return err
			}
			return os.Symlink("/", filepath.Join(state, "runs"))
		})},
		{name: "state folder is read-only", play: func(r *trial, base *baseline) {
			disk := r.disk("disk", "64k")
			if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
				r.Fatal(err)
			}
			r.refuses("disk/state", "read-only file system")
		}},
		{name: "symlinks in a run's folder", play: func(r *trial, base *baseline) {
			s := r.going(60)
			s.Process.Kill()
			r.ended(s)
			r.gone()
			runs, _ := filepath.Glob(filepath.Join(r.dir, ".supervisor", "runs", "*"))
			r.write("victim", "untouched")
			for _, name := range []string{"journal.db", "lock", "outputs"} {
				if err := os.RemoveAll(filepath.Join(runs[0], name)); err != nil {
					r.Fatal(err)
				}
				if err := os.Symlink(filepath.Join(r.dir, "victim"), filepath.Join(runs[0], name)); err != nil {
					r.Fatal(err)
				}
			}
			c := r.call(steadily("-resume-from", filepath.Base(runs[0]))...)
			if c.code != 5 || !strings.Contains(c.stderr, "symbolic link") || r.read("victim") != "untouched" {
				r.Errorf("exit code %d, and what a link leads to is %q\n%s", c.code, r.read("victim"), c.stderr)
			}
		}},
		{name: "two resume one run", play: func(r *trial, base *baseline) {
			file := r.read("job.yaml") + "  - {id: gate, shell: 'echo up >>up; until [ -e go ]; do sleep 0.02; done'}\n"
			r.write("job.yaml", file)
			s := r.going(60)
			s.Process.Kill()
			c := r.ended(s)
			first := r.check(c, killed(), base)
			os.Remove(filepath.Join(r.dir, "up"))
			s = r.start(r.command(steadily("-resume")...))
			r.await("the one is at work", func() bool { return r.has("up", "up") })
			if other := r.call("run", "-no-progress", "-resume"); other.code != 6 {
				r.Errorf("the other ended with %d\n%s", other.code, other.stderr)
			}
			r.write("go", "")
			r.checkResumed(r.ended(s), of(0), base, first)
		}},
	})
}

// killedAfter is a supervisor that is killed when so many instances have ended.
func killedAfter(ends int) func(*trial, *baseline) {
	return func(r *trial, base *baseline) {
		s := r.going(ends)
		s.Process.Kill()
		c := r.ended(s)
		r.resumed(base, c, r.check(c, killed(), base))
	}
}

// shell is a call of a script, which has the arguments as "$@".
func (r *trial) shell(script string, args ...string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", script, "sh"}, args...)...)
	r.furnish(cmd)
	return cmd
}

// throughShell is a run that a script starts; it records everything as ever.
func throughShell(script string, code int) func(*trial, *baseline) {
	return func(r *trial, base *baseline) {
		r.check(r.finish(r.shell(script, steadily()...)), of(code), base)
	}
}

// refused is a state folder that cannot be used.
func refused(says string, plant func(state string) error) func(*trial, *baseline) {
	return func(r *trial, base *baseline) {
		if err := plant(filepath.Join(r.dir, "state")); err != nil {
			r.Fatal(err)
		}
		r.refuses("state", says)
	}
}

// refuses checks that a run with this state folder starts nothing.
func (r *trial) refuses(state, says string) {
	r.Helper()
	c := r.call(steadily("-state", state)...)
	if c.code != 5 || !strings.Contains(c.stderr, says) || c.stdout != "" {
		r.Errorf("exit code %d, stdout %.100q\n%s", c.code, c.stdout, c.stderr)
	}
	if started := regexp.MustCompile(`"job\.start"`); r.has("events", "") && started.MatchString(r.read("events")) {
		r.Error("jobs were started without a journal")
	}
}

// disk mounts a small one at a name in the trial's folder.
func (r *trial) disk(name, size string) string {
	r.Helper()
	dir := filepath.Join(r.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		r.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		r.Skipf("mount a tmpfs, which takes root: %v", err)
	}
	r.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// grow gives the disk another size.
func (r *trial) grow(dir, size string) {
	r.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size="+size); err != nil {
		r.Fatal(err)
	}
}
