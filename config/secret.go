package config

import "go.yaml.in/yaml/v3"

// Secret is a variable of the environment whose value is never shown.
type Secret struct {
	Name string
	Pos  Pos
}

// EnvFile is a file of variables, see [ParseEnvFile].
type EnvFile struct {
	Path string // relative to the job file's folder
	Pos  Pos
}

func readSecrets(c *checker, n *yaml.Node, d *draft) {
	items, ok := c.list(n, "secrets", true)
	if !ok {
		return
	}
	d.Secrets = make([]Secret, 0, len(items))
	seen := make(map[string]bool, len(items))
	for _, e := range items {
		s, ok := c.fixed(e, "a name in secrets")
		switch {
		case !ok:
		case !envName(s):
			c.failNode(e, "", "secrets has %s, which is no name of a variable", quote(s))
		case ReservedEnv(s):
			c.failNode(e, "", "secrets has %s, which the supervisor sets itself", clip(s))
		case seen[s]:
			c.failNode(e, "", "secrets has %s twice", clip(s))
		default:
			seen[s] = true
			d.Secrets = append(d.Secrets, Secret{Name: s, Pos: posOf(e)})
		}
	}
}

// fitSecrets refuses secrets that the file itself tells.
func (c *checker) fitSecrets(j *Job) {
	if len(j.Secrets) == 0 || len(j.Env) == 0 {
		return
	}
	declared := make(map[string]bool, len(j.Env))
	for _, e := range j.Env {
		declared[e.Name] = true
	}
	for _, s := range j.Secrets {
		if declared[s.Name] {
			c.fail(s.Pos, "take it out of env: its value comes from the supervisor's environment or an env_file", "secret %s is declared by env", clip(s.Name))
		}
	}
}

// readEnvFile reads one path or a list of them.
func readEnvFile(c *checker, n *yaml.Node, d *draft) {
	if c.bad[n] {
		return
	}
	items := []*yaml.Node{n}
	if n.Kind != yaml.ScalarNode {
		var ok bool
		if items, ok = c.list(n, "env_file", true); !ok {
			return
		}
	}
	d.EnvFiles = make([]EnvFile, 0, len(items))
	for _, e := range items {
		if s, ok := c.fixed(e, "a path in env_file"); ok {
			d.EnvFiles = append(d.EnvFiles, EnvFile{Path: s, Pos: posOf(e)})
		}
	}
}
