package config

import (
	"bytes"
	"fmt"
	"strings"
)

// MaxEnvFile is the largest file of variables that is read, in bytes.
const MaxEnvFile = 256 << 10

// EnvEntry is a variable of an environment with its value.
type EnvEntry struct{ Name, Value string }

// ParseEnvFile reads a file of variables, such as `env_file` names: name is its path,
// which the errors show. Each line is NAME=VALUE, perhaps behind `export `; empty
// lines and those that start with # say nothing. A later line wins over an earlier
// one with the same name.
//
// A value without quotes ends with its line, or before a # that stands behind a
// space; spaces around it are not part of it. One in single quotes is taken as it
// stands, and may have several lines. So may one in double quotes, in which \n, \r,
// \t, \\, \", \$ and \` stand for what they do in other places, and a \ at the end of
// a line joins it with the next; any other \ stays. Nothing is expanded: a $ is a $.
//
// Errors are [Errors] and show no part of a line but the name of a variable, because
// what is on it may be a secret.
func ParseEnvFile(name string, src []byte) ([]EnvEntry, error) {
	p := envParser{file: name, line: 1}
	src = bytes.TrimPrefix(src, byteOrderMark)
	if len(src) > MaxEnvFile {
		p.fail("a file of variables has at most %d KiB", MaxEnvFile>>10)
		return nil, p.errs
	}
	p.rest = string(src)
	for p.rest != "" {
		p.entry()
	}
	if p.errs != nil {
		return nil, p.errs
	}
	return p.entries, nil
}

// envParser walks a file of variables line by line.
type envParser struct {
	file    string
	rest    string
	line    int // that rest begins in
	entries []EnvEntry
	at      map[string]int // place in entries by name
	errs    Errors
}

func (p *envParser) fail(format string, args ...any) {
	if len(p.errs) < maxErrors {
		p.errs = append(p.errs, &Error{File: p.file, Line: p.line, Msg: oneLine(fmt.Sprintf(format, args...))})
	}
}

// nextLine takes the rest of a line, without its end.
func (p *envParser) nextLine() string {
	line, rest, _ := strings.Cut(p.rest, "\n")
	p.rest = rest
	return strings.TrimSuffix(line, "\r")
}

const envSpace = " \t"

// entry reads one line, or the several ones of a value in quotes.
func (p *envParser) entry() {
	start := p.line
	defer func() { p.line++ }()
	p.rest = strings.TrimLeft(p.rest, envSpace)
	if after, ok := strings.CutPrefix(p.rest, "export"); ok && strings.IndexAny(after, envSpace) == 0 {
		p.rest = strings.TrimLeft(after, envSpace)
	}
	eq := strings.IndexAny(p.rest, "=\n")
	if eq < 0 || p.rest[eq] == '\n' || p.rest[0] == '#' {
		if line := p.nextLine(); line != "" && line[0] != '#' {
			p.fail("want NAME=VALUE: the line has no =")
		}
		return
	}
	name := strings.TrimRight(p.rest[:eq], envSpace)
	p.rest = strings.TrimLeft(p.rest[eq+1:], envSpace)
	var value string
	ok := true
	if p.rest != "" && (p.rest[0] == '"' || p.rest[0] == '\'') {
		value, ok = p.quoted()
	} else {
		value = unquoted(p.nextLine())
	}
	end := p.line
	p.line = start
	defer func() { p.line = end }()
	switch {
	case !ok:
	case len(name) > maxName || !plainName.MatchString(name):
		p.fail("want NAME=VALUE: a name is letters, digits and underscores, at most %d bytes", maxName)
	case ReservedEnv(name):
		p.fail("%s is set by the supervisor itself", name)
	case strings.IndexByte(value, 0) >= 0:
		p.fail("the value of %s holds a NUL byte", name)
	default:
		p.put(EnvEntry{name, value})
	}
}

func (p *envParser) put(e EnvEntry) {
	if i, ok := p.at[e.Name]; ok {
		p.entries[i] = e
		return
	}
	if p.at == nil {
		p.at = make(map[string]int)
	}
	p.at[e.Name] = len(p.entries)
	p.entries = append(p.entries, e)
}

func unquoted(line string) string {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || strings.IndexByte(envSpace, line[i-1]) >= 0) {
			line = line[:i]
			break
		}
	}
	return strings.TrimRight(line, envSpace)
}

// quoted reads a value in quotes and the rest of the line where it ends.
func (p *envParser) quoted() (string, bool) {
	quote, s := p.rest[0], p.rest[1:]
	var b strings.Builder
	i := 0
	for ; i < len(s) && s[i] != quote; i++ {
		switch {
		case s[i] == '\r' && i+1 < len(s) && s[i+1] == '\n':
		case s[i] != '\\' || quote == '\'' || i+1 == len(s):
			b.WriteByte(s[i])
		default:
			i++
			switch c := s[i]; c {
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 't':
				b.WriteByte('\t')
			case '\\', '"', '$', '`':
				b.WriteByte(c)
			case '\n':
			case '\r':
				if i+1 == len(s) || s[i+1] != '\n' {
					b.WriteString("\\\r")
					break
				}
				i++
			default:
				b.WriteByte('\\')
				b.WriteByte(c)
			}
		}
	}
	if i == len(s) {
		p.fail("the quote that begins here is not closed")
		p.rest = ""
		return "", false
	}
	p.line += strings.Count(s[:i], "\n")
	p.rest = s[i+1:]
	if tail := unquoted(p.nextLine()); strings.TrimLeft(tail, envSpace) != "" {
		p.fail("there is something behind the closing quote")
		return "", false
	}
	return b.String(), true
}
