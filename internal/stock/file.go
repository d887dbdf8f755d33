package stock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/feac4032/multiproc/task"
)

// FileHash is what Hash returns.
type FileHash struct {
	Path   string `msgpack:"path"`
	SHA256 string `msgpack:"sha256"` // in hexadecimal
	Bytes  int64  `msgpack:"bytes"`
}

// Hash reads the file at a path and returns its SHA-256 and length.
var Hash = task.Define("hash", func(ctx context.Context, path string) (FileHash, error) {
	h := sha256.New()
	n, err := readAll(ctx, path, func(p []byte) { h.Write(p) })
	if err != nil {
		return FileHash{}, fmt.Errorf("hash: %w", err)
	}
	return FileHash{Path: path, SHA256: hex.EncodeToString(h.Sum(nil)), Bytes: n}, nil
})

// FileWords is what Wordcount returns.
type FileWords struct {
	Path  string `msgpack:"path"`
	Lines int64  `msgpack:"lines"` // newline characters
	Words int64  `msgpack:"words"`
	Bytes int64  `msgpack:"bytes"`
}

// Wordcount reads the file at a path and counts like wc(1) in a UTF-8 locale.
var Wordcount = task.Define("wordcount", func(ctx context.Context, path string) (FileWords, error) {
	var c wordCounter
	n, err := readAll(ctx, path, c.add)
	if err != nil {
		return FileWords{}, fmt.Errorf("wordcount: %w", err)
	}
	c.end()
	return FileWords{Path: path, Lines: c.lines, Words: c.words, Bytes: n}, nil
})

// readAll hands a file's bytes to f, a block at a time.
func readAll(ctx context.Context, path string, f func([]byte)) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	block := make([]byte, 64<<10)
	var total int64
	for {
		if ctx.Err() != nil {
			return total, context.Cause(ctx)
		}
		n, err := file.Read(block)
		f(block[:n])
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
