package jail

import "golang.org/x/sys/unix"

func init() {
	denied = append(denied, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MODIFY_LDT,
		unix.SYS_USELIB, unix.SYS_CREATE_MODULE, unix.SYS_QUERY_MODULE, unix.SYS_GET_KERNEL_SYMS, unix.SYS__SYSCTL)
	modeCalls = append(modeCalls, modeCall{unix.SYS_CHMOD, 1, -1}, modeCall{unix.SYS_CREAT, 1, -1},
		modeCall{unix.SYS_MKNOD, 1, -1}, modeCall{unix.SYS_OPEN, 2, 1})
}
