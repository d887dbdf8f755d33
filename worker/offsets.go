package worker

import "time"

// outputOffsets tells how far this process has written its captured output, so
// that every byte can be attributed to a job without any reading or waiting. A
// nil one tells nothing.
//
// To ask the kernel for both offsets costs more than a small job, which cannot have
// written anything: to write takes longer than to ask for one.
type outputOffsets struct {
	stdout, stderr outputFile
	least          time.Duration // that it has taken to ask for an offset, so far
}

// outputFile is a descriptor that stands for an appended file: its offset moves
// with every write, also with one of a child that has inherited it.
type outputFile struct {
	fd   int
	last uint64
}

// newOutputOffsets returns nil if one of the two is not a file.
func newOutputOffsets(stdout, stderr int) *outputOffsets {
	o := &outputOffsets{stdout: outputFile{fd: stdout}, stderr: outputFile{fd: stderr}}
	var ok bool
	if o.stdout.last, ok = fileOffset(stdout); !ok {
		return nil
	}
	if o.stderr.last, ok = fileOffset(stderr); !ok {
		return nil
	}
	o.least = time.Hour
	for range offsetTries {
		o.ask()
	}
	return o
}

// offsetTries is how often the time to ask for an offset is measured.
const offsetTries = 32

var epoch = time.Now()

// sinceEpoch is the time, for less than time.Now takes.
func sinceEpoch() time.Duration { return time.Since(epoch) }

// untouched reports whether nothing that has begun at the given time, and has just
// ended, can have written to the output.
func (o *outputOffsets) untouched(begun time.Duration) bool {
	return o == nil || sinceEpoch()-begun < o.least
}

// moved returns both offsets, and whether one has changed since it was last
// called.
func (o *outputOffsets) moved() (stdout, stderr uint64, changed bool) {
	if o == nil {
		return 0, 0, false
	}
	first := o.ask()
	second := o.stderr.update()
	return o.stdout.last, o.stderr.last, first || second
}

// ask updates the first offset. It takes the time whenever it does: a processor that
// was slow while the program started writes faster later on.
func (o *outputOffsets) ask() bool {
	begun := sinceEpoch()
	moved := o.stdout.update()
	o.least = min(o.least, sinceEpoch()-begun)
	return moved
}

func (f *outputFile) update() bool {
	now, ok := fileOffset(f.fd)
	if !ok || now == f.last { // not ok: the program has closed it
		return false
	}
	f.last = now
	return true
}
