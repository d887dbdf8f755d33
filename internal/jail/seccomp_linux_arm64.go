package jail

import "golang.org/x/sys/unix"

func init() { denied = append(denied, unix.SYS_KEXEC_FILE_LOAD) }
