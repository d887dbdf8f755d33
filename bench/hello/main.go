// Command hello is the least that a Go program does before it is of use: it says
// one byte. Then it waits for the end of its stdin.
package main

import (
	"io"
	"os"
)

func main() {
	os.Stdout.Write([]byte{'.'})
	io.Copy(io.Discard, os.Stdin)
}
