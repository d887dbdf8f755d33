package child

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// LookPath finds a program as execvp does, with the PATH and the working
// directory that it will have: env nil is this process's environment, dir "" its
// directory.
func LookPath(name string, env []string, dir string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("command name is empty")
	}
	if strings.ContainsRune(name, filepath.Separator) {
		return name, nil // exec tells what is wrong with it
	}
	path := os.Getenv("PATH")
	if env != nil {
		path = "/usr/local/bin:/usr/bin:/bin"
		for _, kv := range env {
			if v, ok := strings.CutPrefix(kv, "PATH="); ok {
				path = v
			}
		}
	}
	var denied error
	for _, folder := range filepath.SplitList(path) {
		if folder == "" {
			folder = "."
		}
		if !filepath.IsAbs(folder) && dir != "" {
			folder = filepath.Join(dir, folder)
		}
		file := filepath.Join(folder, name)
		switch err := executable(file); {
		case err == nil:
			if !filepath.IsAbs(file) {
				if file, err = filepath.Abs(file); err != nil {
					return "", err
				}
			}
			return file, nil
		case errors.Is(err, fs.ErrPermission):
			denied = &fs.PathError{Op: "exec", Path: file, Err: fs.ErrPermission}
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}
