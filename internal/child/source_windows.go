package child

import "io"

// readNow is not reached: pipes have no deadlines here.
func readNow(*inlet, []byte) (int, error) { return 0, io.EOF }
