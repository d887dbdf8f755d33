//go:build linux

// Command floor stands in for source/floor.c on machines without a C compiler. It
// does the same works, by the system calls of package syscall, and prints the same
// figures; Go's part in each is a few hundred nanoseconds.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/bench/figure"
)

const (
	awakeFor = 50 * time.Microsecond
	wide     = 1 << 20 // room in a pipe
	early    = 10      // laps that let the other process begin, and do not count
)

func main() {
	runtime.LockOSThread()
	if len(os.Args) != 4 {
		log.Fatal("usage: floor WORK SIZE N")
	}
	figures, err := run(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		log.Fatalf("%s: %v", os.Args[1], err)
	}
	if figures == nil { // it was the other process
		return
	}
	if err := figures.Write(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(work, size, number string) (figure.Set, error) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("%q is no number", number)
	}
	if work == "start" {
		return start(size, n)
	}
	first, err := strconv.Atoi(size)
	if err != nil || first < 1 {
		return nil, fmt.Errorf("%q is no size", size)
	}
	switch work {
	case "pipes", "awake", "apart":
		return echo(work, first, n)
	case "together":
		if err := pin(0); err != nil {
			return nil, err
		}
		return echo("pipes", first, n)
	case "memory":
		return memory(first, n)
	case "stream":
		return stream(first, n)
	case "spawn":
		return spawn(first, n)
	case "serve-pipes", "serve-awake", "serve-apart", "serve-memory", "serve-stream":
		return nil, serve(work, first, n)
	}
	return nil, errors.New("there is no such work")
}

// get reads a whole message; false says that there are no more.
func get(fd int, buf []byte) (bool, error) {
	var since time.Time
	for n := 0; n < len(buf); {
		m, err := syscall.Read(fd, buf[n:])
		switch {
		case m > 0:
			n += m
			since = time.Time{}
		case err == nil:
			return false, nil
		case err == syscall.EINTR:
		case err != syscall.EAGAIN:
			return false, err
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > awakeFor:
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err != nil && err != unix.EINTR {
				return false, err
			}
			since = time.Time{}
		}
	}
	return true, nil
}

func put(fd int, buf []byte) error {
	for n := 0; n < len(buf); {
		m, err := syscall.Write(fd, buf[n:])
		if err != nil && err != syscall.EINTR {
			return err
		}
		n += max(m, 0)
	}
	return nil
}

// conduit makes a pipe as wide as this project's; a narrower one will do.
func conduit() (r, w int, err error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return 0, 0, err
	}
	unix.FcntlInt(uintptr(ends[1]), unix.F_SETPIPE_SZ, wide)
	return ends[0], ends[1], nil
}

// pin keeps this thread on the nth of the CPUs that it may use, or on the last.
func pin(n int) error {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	last := 0
	for cpu := 0; cpu < 8*len(all)*8 && n >= 0; cpu++ {
		if all.IsSet(cpu) {
			last = cpu
			n--
		}
	}
	one.Set(last)
	return unix.SchedSetaffinity(0, &one)
}

// other starts this program again, to serve, with fds as 3 and so on.
func other(work string, size, n int, fds ...int) (pid int, err error) {
	files := append([]uintptr{0, 1, 2}, make([]uintptr, len(fds))...)
	for i, fd := range fds {
		files[3+i] = uintptr(fd)
	}
	pid, err = syscall.ForkExec("/proc/self/exe", []string{"floor", "serve-" + work, strconv.Itoa(size), strconv.Itoa(n)},
		&syscall.ProcAttr{Env: os.Environ(), Files: files})
	for _, fd := range fds { // memory stays mapped
		syscall.Close(fd)
	}
	return pid, err
}

// serve is the other process: messages come in at 3 and go out at 4; 5 is memory.
func serve(work string, size, n int) error {
	buf := bytes.Repeat([]byte{'x'}, size)
	switch work {
	case "serve-apart":
		if err := pin(1); err != nil {
			return err
		}
	case "serve-awake":
		if err := syscall.SetNonblock(3, true); err != nil {
			return err
		}
	case "serve-memory":
		shared, err := unix.Mmap(5, 0, 2*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
		if err != nil {
			return err
		}
		for bell := []byte{0}; ; {
			if more, err := get(3, bell); !more || err != nil {
				return err
			}
			copy(buf, shared)
			copy(shared[size:], buf)
			if err := put(4, bell); err != nil {
				return err
			}
		}
	case "serve-stream":
		for range n {
			if err := put(3, buf); err != nil {
				return err
			}
		}
		return nil
	}
	for {
		if more, err := get(3, buf); !more || err != nil {
			return err
		}
		if err := put(4, buf); err != nil {
			return err
		}
	}
}

func echo(work string, size, n int) (figure.Set, error) {
	theirIn, out, err := conduit()
	if err != nil {
		return nil, err
	}
	in, theirOut, err := conduit()
	if err != nil {
		return nil, err
	}
	pid, err := other(work, size, n, theirIn, theirOut)
	if err != nil {
		return nil, err
	}
	switch work {
	case "apart": // not before: the other process would have to stay here, too
		err = pin(0)
	case "awake":
		err = syscall.SetNonblock(in, true)
	}
	if err != nil {
		return nil, err
	}
	buf := bytes.Repeat([]byte{'x'}, size)
	return lapsOf(n, pid, out, func() error {
		if err := put(out, buf); err != nil {
			return err
		}
		return answered(get(in, buf))
	})
}

func memory(size, n int) (figure.Set, error) {
	theirIn, out, err := conduit()
	if err != nil {
		return nil, err
	}
	in, theirOut, err := conduit()
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("floor", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := syscall.Ftruncate(fd, int64(2*size)); err != nil {
		return nil, err
	}
	shared, err := unix.Mmap(fd, 0, 2*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, err
	}
	pid, err := other("memory", size, n, theirIn, theirOut, fd)
	if err != nil {
		return nil, err
	}
	buf, bell := bytes.Repeat([]byte{'x'}, size), []byte{0}
	return lapsOf(n, pid, out, func() error {
		copy(shared, buf)
		if err := put(out, bell); err != nil {
			return err
		}
		if err := answered(get(in, bell)); err != nil {
			return err
		}
		copy(buf, shared[size:])
		return nil
	})
}

func answered(more bool, err error) error {
	if err == nil && !more {
		return errors.New("the other process has ended")
	}
	return err
}

// lapsOf measures n of them, and ends the other process.
func lapsOf(n, pid, out int, lap func() error) (figure.Set, error) {
	for range early {
		if err := lap(); err != nil {
			return nil, err
		}
	}
	var laps figure.Laps
	for range n {
		since := time.Now()
		if err := lap(); err != nil {
			return nil, err
		}
		laps.Add(since)
	}
	syscall.Close(out)
	_, err := syscall.Wait4(pid, nil, 0, nil)
	return laps.Set(), err
}

func stream(size, n int) (figure.Set, error) {
	in, theirOut, err := conduit()
	if err != nil {
		return nil, err
	}
	since := time.Now()
	pid, err := other("stream", size, n, theirOut)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 64<<10)
	for left := n * size; left > 0; {
		m, err := syscall.Read(in, buf)
		if m <= 0 || err != nil {
			return nil, fmt.Errorf("%d bytes are missing: %w", left, err)
		}
		left -= m
	}
	took := time.Since(since)
	_, err = syscall.Wait4(pid, nil, 0, nil)
	return figure.PerSecond(n, took), err
}

func spawn(depth, n int) (figure.Set, error) {
	begun, since := 0, time.Now()
	for ended := range n {
		for begun < n && begun-ended < depth {
			if _, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}}); err != nil {
				return nil, err
			}
			begun++
		}
		if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil {
			return nil, err
		}
	}
	return figure.PerSecond(n, time.Since(since)), nil
}

func start(program string, n int) (figure.Set, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	var laps figure.Laps
	for range n {
		since := time.Now()
		in, theirOut, err := conduit()
		if err != nil {
			return nil, err
		}
		pid, err := syscall.ForkExec(program, []string{program}, &syscall.ProcAttr{Files: []uintptr{null.Fd(), uintptr(theirOut), 2}})
		if err != nil {
			return nil, err
		}
		syscall.Close(theirOut)
		if err := answered(get(in, []byte{0})); err != nil {
			return nil, err
		}
		laps.Add(since)
		syscall.Close(in)
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
			return nil, err
		}
	}
	return laps.Set(), nil
}
