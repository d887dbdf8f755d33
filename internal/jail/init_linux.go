package jail

import (
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// threadSignal is what the runtime calls all its threads with, see
// syscall.AllThreadsSyscall. Its handler stays.
const threadSignal = 33

// defaultSignals gives up the runtime's handlers. The kernel then keeps from process 1
// whatever the program sends it, and the program starts with default dispositions.
func defaultSignals() {
	var act [8]uintptr // more than a struct sigaction; all zero is the default
	for n := uintptr(1); n <= 64; n++ {
		if n == threadSignal || n == uintptr(unix.SIGKILL) || n == uintptr(unix.SIGSTOP) {
			continue
		}
		syscall.RawSyscall6(unix.SYS_RT_SIGACTION, n, uintptr(unsafe.Pointer(&act[0])), 0, sigsetSize, 0, 0)
	}
	runtime.KeepAlive(&act)
}

// closeFiles lets go of the program's descriptors: while they are open here, nobody
// sees that the program has closed them.
func (s *stub) closeFiles() {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	for fd := range max(s.order.Files, 3) {
		if fd < 3 && err == nil {
			unix.Dup3(null, fd, unix.O_CLOEXEC)
		} else {
			unix.Close(fd)
		}
	}
	for _, fd := range append([]int{null, s.exe, s.dir, s.prog}, s.joins...) {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// follow is the life of process 1 from the start of the program to its end.
func (s *stub) follow(program int) {
	var mu sync.Mutex // a signal must not reach another process of that id
	go func() {
		// Not before: to reach all threads takes long, and a short program does not
		// wait for it.
		if err := dropAll(); err != nil {
			os.Exit(1)
		}
		for {
			var sig Signal
			_, ok, err := receive(s.socket, &sig)
			if err != nil || !ok {
				os.Exit(1) // without the guardian nobody waits for the program
			}
			mu.Lock()
			unix.Kill(program, sig.Signal)
			mu.Unlock()
		}
	}()
	for {
		pid, err := nextDead()
		if err != nil {
			os.Exit(1)
		}
		mu.Lock()
		end := End{Status: true}
		got, err := syscall.Wait4(pid, &end.Wait, 0, &end.Usage)
		if err == nil && got == program {
			// The lock is kept. The rest of the namespace ends with this process.
			s.send(end)
			os.Exit(0)
		}
		mu.Unlock()
	}
}

// nextDead waits for the end of any child, and does not reap it.
func nextDead() (pid int, err error) {
	var info unix.Siginfo
	for {
		_, _, errno := unix.Syscall6(unix.SYS_WAITID, unix.P_ALL, 0, uintptr(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOWAIT|unix.WALL, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return siginfoPid(&info), nil
	}
}

// siginfoPid reads si_pid: it stands behind three numbers, where a pointer may stand.
func siginfoPid(info *unix.Siginfo) int {
	const pointer = unsafe.Sizeof(uintptr(0))
	const at = (3*4 + pointer - 1) / pointer * pointer
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), at)))
}
