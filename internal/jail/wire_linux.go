package jail

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The socket carries one JSON object a packet. The guardian sends an Order with its
// descriptors, then a Signal each; the stub answers with one Answer, and with an End
// if it stays. Both ends are the same program.

// packetMax bounds a packet: an Order holds two paths of at most 4 KiB.
const packetMax = 64 << 10

// Order says what a stub is to do.
type Order struct {
	Path    string   // the program; "" = only try the parts
	Dir     string   // its working directory, absolute and free of links; "" = where the stub is
	Argc    int      // how many of the strings are arguments; the others are the environment
	Files   int      // the program's descriptors are 0 to Files-1
	Rlimits []Rlimit `json:",omitempty"`
	Parts   Part
	Lenient bool // a part that cannot be had is left out

	// Descriptors that come with the order, in this sequence. The first is always a
	// memfd with the strings, each ended by NUL.
	Exe    bool // the program, opened with O_PATH: for when its path leads nowhere inside
	DirFD  bool // a detached mount of the working directory
	ProgFD bool // a detached mount of the program's file
	Joins  int  // files cgroup.procs or tasks of groups that the program is to join

	// ExePath is where the program is once all links are followed.
	ExePath string
}

// Rlimit is one resource limit, soft and hard the same.
type Rlimit struct {
	Resource int
	Value    uint64
}

// Signal is for the program itself.
type Signal struct{ Signal syscall.Signal }

// Steps at which a start fails.
const (
	StepConfine = "confine"
	StepChdir   = "chdir"
	StepExec    = "exec"
)

// Answer is what came of an Order. A stub that becomes the program sends none; the
// end of the socket is the good news.
type Answer struct {
	Step   string        `json:",omitempty"` // where it failed; "" = the program runs
	Errno  syscall.Errno `json:",omitempty"`
	Detail string        `json:",omitempty"`
	Parts  Part          // what is in force
	Lost   []Loss        `json:",omitempty"` // what was left out
}

// Loss is a part that could not be had.
type Loss struct {
	Part  Part
	Why   string // names the step and the error
	Errno syscall.Errno
}

// End is how the program ended. It is told by a process that the program may have
// taken over: as true as what a program says of itself by its exit code.
type End struct {
	Wait   syscall.WaitStatus
	Usage  syscall.Rusage
	Status bool // tells an End from an Answer
}

var errWire = errors.New("malformed message")

// Send sends a message with descriptors, or none. It does not block for long: the
// other end has room for one packet.
func Send(socket int, v any, fds ...int) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) > packetMax {
		return syscall.EMSGSIZE
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		_, err := unix.SendmsgN(socket, b, oob, nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

// receive reads a message; ok is false at the end of the socket.
func receive(socket int, v any) (fds []int, ok bool, err error) {
	b, oob := make([]byte, packetMax), make([]byte, 1024)
	var n, oobn, flags int
	for {
		n, oobn, flags, _, err = unix.Recvmsg(socket, b, oob, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil || n == 0 {
		return nil, false, err
	}
	if oobn > 0 {
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return nil, false, err
		}
		for i := range messages {
			more, err := unix.ParseUnixRights(&messages[i])
			if err != nil {
				return nil, false, err
			}
			fds = append(fds, more...)
		}
	}
	if flags&unix.MSG_CTRUNC != 0 {
		return fds, false, syscall.EMFILE
	}
	if err := json.Unmarshal(b[:n], v); err != nil {
		return fds, false, errWire
	}
	return fds, true, nil
}

// Strings encodes what an Order's memfd holds.
func Strings(argv, envv []string) []byte {
	var b bytes.Buffer
	for _, list := range [][]string{argv, envv} {
		for _, s := range list {
			b.WriteString(s)
			b.WriteByte(0)
		}
	}
	return b.Bytes()
}

// splitStrings is the reverse of Strings.
func splitStrings(b []byte, argc int) (argv, envv []string, err error) {
	all := strings.Split(string(b), "\x00")
	if len(b) == 0 || all[len(all)-1] != "" || argc < 1 || argc >= len(all) {
		return nil, nil, errWire
	}
	all = all[:len(all)-1]
	return all[:argc], all[argc:], nil
}

// ParseAnswer reads a stub's first packet.
func ParseAnswer(b []byte) (a Answer, err error) {
	if json.Unmarshal(b, &a) != nil {
		err = errWire
	}
	return a, err
}

// ParseEnd reads a stub's last packet. ok is false for any other.
func ParseEnd(b []byte) (e End, ok bool) {
	return e, json.Unmarshal(b, &e) == nil && e.Status && (e.Wait.Exited() || e.Wait.Signaled())
}
