package child

import (
	"io"
	"os"
)

// readNow is not reached: pipes have no deadlines here.
func readNow(*os.File, []byte) (int, error) { return 0, io.EOF }
