//go:build unix && !linux

package reactor

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// bindWithMode binds in a directory that only this user can enter, beside path,
// and moves the socket to path when it has its mode.
func bindWithMode(fd int, path string, mode fs.FileMode) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".") // with mode 0700
	if err != nil {
		return err
	}
	defer os.Remove(dir) // it is empty
	beside := filepath.Join(dir, "s")
	if len(beside) >= len(unix.RawSockaddrUnix{}.Path) {
		return fmt.Errorf("the path of a unix socket with a mode may have %d bytes at most here", len(path)-len(beside)+len(unix.RawSockaddrUnix{}.Path)-1)
	}
	if err := bindPath(fd, beside); err != nil {
		return err
	}
	if err := os.Chmod(beside, mode); err != nil {
		_ = os.Remove(beside) // the cause is err
		return err
	}
	if err := os.Rename(beside, path); err != nil {
		_ = os.Remove(beside) // the cause is err
		return err
	}
	return nil
}
