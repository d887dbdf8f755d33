package child

import (
	"io/fs"
	"os"
	"path/filepath"
)

func executable(file string) error {
	if filepath.Ext(file) == "" {
		return fs.ErrNotExist
	}
	_, err := os.Stat(file)
	return err
}
