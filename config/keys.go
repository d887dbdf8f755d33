package config

import (
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// keyset is the keys that one kind of map in the file may hold.
type keyset[T any] struct {
	in    string // where such a map stands, "in a job"
	names []string
	keys  map[string]*key[T]
}

// key is one of them.
type key[T any] struct {
	name string
	read func(c *checker, n *yaml.Node, into T)
	bit  uint64
}

func newKeyset[T any](in string, keys ...key[T]) *keyset[T] {
	ks := &keyset[T]{in: in, keys: make(map[string]*key[T], len(keys))}
	for i := range keys {
		k := keys[i]
		k.bit = 1 << i
		ks.names = append(ks.names, k.name)
		ks.keys[k.name] = &k
	}
	return ks
}

// has reports whether name is among the keys that were found.
func (ks *keyset[T]) has(set uint64, name string) bool {
	return set&ks.keys[name].bit != 0
}

// read reads the map n and tells which keys stand in it. A key that does not
// exist counts as the one that was meant by it, so that this one is not reported
// as missing. Without ok, n is no map, and was reported.
func (ks *keyset[T]) read(c *checker, n *yaml.Node, what string, into T) (set uint64, ok bool) {
	if c.bad[n] {
		return 0, false
	}
	if n.Kind != yaml.MappingNode {
		c.wrong(n, "", what, "a map")
		return 0, false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		if c.bad[name] {
			continue
		}
		k := ks.keys[name.Value]
		if k == nil {
			if meant := ks.keys[c.unknownKey(name, ks.in, ks.names)]; meant != nil {
				set |= meant.bit
			}
			continue
		}
		set |= k.bit
		k.read(c, value, into)
	}
	return set, true
}

// keyNode finds a key of the map n, nil if it is not there.
func keyNode(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i]
		}
	}
	return nil
}

// unknownKey answers a key that does not exist with the one that was meant: of
// another tool, of another place in the file, or misspelt. It gives that name
// if it is among names.
func (c *checker) unknownKey(n *yaml.Node, in string, names []string) (meant string) {
	name := strings.ToLower(strings.ReplaceAll(n.Value, "-", "_"))
	ours := foreignKeys[name]
	hint := ""
	if slices.Contains(names, name) {
		meant = name
	} else if slices.Contains(names, ours) {
		meant = ours
	}
	switch {
	case meant == "timeout" && name != meant:
		hint = "write timeout: with a unit, like 10m"
	case meant != "":
		hint = "write " + meant
	case elsewhere[name] != "" && elsewhere[name] != in:
		hint = name + " stands " + elsewhere[name]
	case elsewhere[ours] != "" && elsewhere[ours] != in:
		hint = "write " + ours + " " + elsewhere[ours]
	default:
		if meant = c.near(n.Value, names); meant == "" {
			// A slip in a key of another tool: comand.
			if f := foreignKeys[c.near(n.Value, foreignNames)]; slices.Contains(names, f) {
				meant = f
			}
		}
		if meant != "" {
			hint = didYouMean(meant)
		}
	}
	c.failNode(n, hint, "unknown key %s %s", quote(n.Value), in)
	return meant
}

// foreignKeys are keys by which other tools call what has another name here.
// The names are in lower case with underscores.
var foreignKeys = map[string]string{
	"command": "run", "cmd": "run", "cmds": "run", "commands": "run", "exec": "run", "argv": "run",
	"script": "shell", "sh": "shell", "bash": "shell",
	"steps": "jobs", "tasks": "jobs", "stages": "jobs", "targets": "jobs",
	"depends": "needs", "depends_on": "needs", "deps": "needs", "dependencies": "needs", "requires": "needs", "after": "needs",
	"environment": "env", "variables": "vars", "envs": "env", "dotenv": "env_file",
	"working_dir": "cwd", "working_directory": "cwd", "workdir": "cwd", "dir": "cwd", "chdir": "cwd",
	"retries": "retry", "max_retries": "retry", "attempts": "retry", "max_attempts": "retry",
	"timeout_minutes": "timeout", "timeout_seconds": "timeout", "time_limit": "timeout",
	"with_items": "foreach", "loop": "foreach", "for": "foreach", "for_each": "foreach", "items": "foreach", "parameters": "args",
	"strategy": "matrix", "parallel": "workers", "parallelism": "workers", "concurrency": "workers", "max_workers": "workers",
	"ignore_errors": "continue_on_error", "fail_fast": "halt", "if": "when", "condition": "when",
	"input": "stdin", "output_file": "stdout", "name": "id", "exit_codes": "ok_exit", "max_procs": "max_parallel",
	"default": "defaults", "queue": "queues", "lock": "locks", "batch_size": "chunk", "grace_period": "kill_after",
}

// elsewhere says where keys stand that a file may hold in one place only.
var elsewhere = map[string]string{}

// foreignNames are the keys of foreignKeys.
var foreignNames []string

func init() {
	for n := range foreignKeys {
		foreignNames = append(foreignNames, n)
	}
	sort.Strings(foreignNames)
	for _, n := range topKeys.names {
		elsewhere[n] = "at the top of the file"
	}
	for _, n := range jobKeys.names {
		if elsewhere[n] == "" {
			elsewhere[n] = "in a job or in defaults"
		} else {
			delete(elsewhere, n)
		}
	}
}
