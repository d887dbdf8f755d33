package pooltest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/feac4032/multiproc/task"
)

// Fault is the argument of [Faulty]: what shall happen, and where. The zero value
// is a job that is right. One that cannot be meant is refused by Submit, with an
// error that wraps [ErrBadFault].
//
// It is encoded by methods of its own, and so is [Reply]: that is where the faults
// of encoding and decoding happen. To decode a Fault is to have it happen.
type Fault struct {
	At Stage
	// By is what happens. At AfterResult it has to end or freeze the process; at
	// DecodeResult, which is in the test itself, it is Error or Panic.
	By How

	// Size is how many bytes of payload travel in the argument, and again in the
	// result, up to 32 MiB. The worker fails the job if they have not arrived as
	// they were sent.
	Size int
	// Seed tells payloads of one size apart.
	Seed uint64

	// Times bounds how often it happens, in all processes together: the attempts
	// after that are right. 0 = always. It is counted by files in the folder Dir,
	// which only this fault may use; t.TempDir() is one.
	Times int
	Dir   string
}

// ErrBadFault comes from Submit for a Fault that cannot be meant.
var ErrBadFault = errors.New("bad fault")

const maxSize = 32 << 20

// afterResult is how long after an answer the worker is at rest: the answer waits
// for others for a millisecond, and must be out before the process dies.
const afterResult = 20 * time.Millisecond

// Payload is what the reply to a right job carries: Size bytes that look random,
// and are the same for equal sizes and seeds.
func (f Fault) Payload() []byte {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], f.Seed)
	binary.LittleEndian.PutUint64(seed[8:], uint64(f.Size))
	b := make([]byte, f.Size)
	rand.NewChaCha8(seed).Read(b) // which returns no error
	return b
}

func (f Fault) String() string {
	if f.At == None {
		return "none"
	}
	return fmt.Sprintf("%s at %s", f.By, f.At)
}

func (f Fault) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrBadFault, fmt.Sprintf(format, args...))
	}
	if f.Size < 0 || f.Size > maxSize {
		return bad("a size of %d bytes, want 0 to %d", f.Size, maxSize)
	}
	if f.Times < 0 || f.Times > 0 && f.Dir == "" {
		return bad("%d times, want 0 or more, and then a folder to count in", f.Times)
	}
	switch f.At {
	case None:
		if f.By != "" {
			return bad("%q without a stage", f.By)
		}
		return nil
	case DecodeArgument, Function, EncodeResult:
		if f.By.known() {
			return nil
		}
	case AfterResult:
		if f.By.endsProcess() && f.By != Stuck {
			return nil
		}
	case DecodeResult:
		if f.By == Error || f.By == Panic {
			return nil
		}
	default:
		return bad("no stage is called %q", f.At)
	}
	return bad("%q cannot happen at %s", f.By, f.At)
}

// happen makes it happen if stage is where, and it has not happened often enough.
func (f Fault) happen(ctx context.Context, stage Stage) error {
	if f.At != stage {
		return nil
	}
	due, err := take(f.Dir, f.Times)
	if err != nil || !due {
		return err
	}
	return f.By.do(ctx)
}

// take reports whether one of so many times is left, and takes it. 0 times are
// without end.
func take(dir string, times int) (bool, error) {
	if times == 0 {
		return true, nil
	}
	for i := range times {
		f, err := os.OpenFile(filepath.Join(dir, "fault-"+strconv.Itoa(i+1)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			return true, f.Close()
		}
		if !os.IsExist(err) {
			return false, fmt.Errorf("pooltest: %w", err)
		}
	}
	return false, nil
}

// parcel is what travels of a Fault and of a Reply.
type parcel struct {
	At      Stage  `msgpack:"at,omitempty"`
	By      How    `msgpack:"by,omitempty"`
	Size    int    `msgpack:"size"`
	Seed    uint64 `msgpack:"seed"`
	Times   int    `msgpack:"times,omitempty"`
	Dir     string `msgpack:"dir,omitempty"`
	Payload []byte `msgpack:"payload"`
	PID     int    `msgpack:"pid,omitempty"`
	Attempt int    `msgpack:"attempt,omitempty"`
}

func (f Fault) parcel() parcel {
	return parcel{At: f.At, By: f.By, Size: f.Size, Seed: f.Seed, Times: f.Times, Dir: f.Dir}
}

func (p *parcel) fault() Fault {
	return Fault{At: p.At, By: p.By, Size: p.Size, Seed: p.Seed, Times: p.Times, Dir: p.Dir}
}

// MarshalBinary is called when the job is submitted.
func (f Fault) MarshalBinary() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	p := f.parcel()
	p.Payload = f.Payload()
	return task.Encode(nil, p)
}

// UnmarshalBinary is called in the worker: the stage DecodeArgument. It also sees
// to it that the payload has arrived as it was sent.
func (f *Fault) UnmarshalBinary(data []byte) error {
	var p parcel
	if err := task.Decode(data, &p); err != nil {
		return err
	}
	*f = p.fault()
	if !bytes.Equal(p.Payload, f.Payload()) {
		return fmt.Errorf("pooltest: the payload is not what was sent")
	}
	return f.happen(context.Background(), DecodeArgument)
}
