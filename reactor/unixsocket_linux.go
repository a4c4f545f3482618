package reactor

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// bindWithMode binds with the mode, less the umask, from the first moment:
// Linux takes it from the socket (unix(7)).
func bindWithMode(fd int, path string, mode fs.FileMode) error {
	if err := unix.Fchmod(fd, uint32(mode)); err != nil {
		return os.NewSyscallError("fchmod", err)
	}
	if err := bindPath(fd, path); err != nil {
		return err
	}
	return os.Chmod(path, mode) // what the umask took
}
