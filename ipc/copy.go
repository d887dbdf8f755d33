package ipc

// copyPiece is how much is copied at a time. Go writes copies of a MiB and more past
// the caches, where whoever reads them next, the other process for one, has to
// fetch them from memory: that takes twice as long.
const copyPiece = 256 << 10

// Append appends p to b as append does, in the way that is fastest for long
// payloads.
func Append(b, p []byte) []byte {
	if len(p) <= copyPiece || cap(b)-len(b) < len(p) {
		return append(b, p...)
	}
	for len(p) > 0 {
		n := min(len(p), copyPiece)
		b = append(b, p[:n]...)
		p = p[n:]
	}
	return b
}
