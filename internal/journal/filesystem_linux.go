package journal

import (
	"os"

	"golang.org/x/sys/unix"
)

// networks are file systems on which processes of several machines, or of a
// machine and its guests, may meet: memory that is mapped, as a write-ahead log
// has it, is not shared there.
var networks = map[int64]string{
	unix.NFS_SUPER_MAGIC:  "nfs",
	unix.SMB_SUPER_MAGIC:  "smb",
	unix.CIFS_SUPER_MAGIC: "cifs",
	unix.SMB2_SUPER_MAGIC: "smb2",
	unix.V9FS_MAGIC:       "9p",
	unix.FUSE_SUPER_MAGIC: "fuse",
	unix.CEPH_SUPER_MAGIC: "ceph",
	unix.AFS_SUPER_MAGIC:  "afs",
	unix.AFS_FS_MAGIC:     "afs",
	unix.CODA_SUPER_MAGIC: "coda",
	unix.NCP_SUPER_MAGIC:  "ncp",
	0x0bd00bd0:            "lustre",
	0x01161970:            "gfs2",
	0x7461636f:            "ocfs2",
	0x6a656a62:            "vboxsf",
	0x47504653:            "gpfs",
	0x19830326:            "beegfs",
}

// network names the network file system on which a folder lies, "" = none.
func network(root *os.Root) (string, error) {
	d, err := root.Open(".")
	if err != nil {
		return "", err
	}
	defer d.Close()
	var st unix.Statfs_t
	for {
		err := unix.Fstatfs(int(d.Fd()), &st)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return "", os.NewSyscallError("statfs", err)
		}
		return networks[int64(uint32(st.Type))], nil
	}
}
