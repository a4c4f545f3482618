//go:build unix

package reactor

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// bindUnix listens at "path?mode=0660" or, on Linux, at the abstract "@name". A
// socket at path without a listener is replaced; a live one, and anything that
// is not a socket, is an error and is kept.
func bindUnix(spec string) (*listener, error) {
	path, mode, err := parseUnix(spec)
	if err != nil {
		return nil, err
	}
	abstract := strings.HasPrefix(path, "@")
	if !abstract {
		if err := removeStale(path); err != nil {
			return nil, err
		}
	}
	fd, err := listenUnix(path, mode)
	if err != nil {
		return nil, err
	}
	lis := &listener{fd: fd, addr: &net.UnixAddr{Name: path, Net: "unix"}, share: true}
	if abstract {
		return lis, nil
	}
	if mine, err := os.Lstat(path); err == nil {
		lis.remove = func() { removeSame(path, mine) }
	}
	return lis, nil
}

func parseUnix(spec string) (path string, mode fs.FileMode, err error) {
	path, query, _ := strings.Cut(spec, "?")
	switch {
	case path == "":
		return "", 0, errors.New("the path of the unix socket is missing: unix:/run/weir.sock")
	case len(path) >= len(unix.RawSockaddrUnix{}.Path):
		return "", 0, fmt.Errorf("the path of a unix socket may have %d bytes at most", len(unix.RawSockaddrUnix{}.Path)-1)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", 0, err
	}
	for name, value := range values {
		if name != "mode" {
			return "", 0, fmt.Errorf("unknown parameter %q of a unix socket; there is mode", name)
		}
		m, err := strconv.ParseUint(value[0], 8, 32)
		if err != nil || m == 0 || m > 0o777 {
			return "", 0, fmt.Errorf("mode %q: want an octal file mode such as 0660", value[0])
		}
		mode = fs.FileMode(m)
	}
	return path, mode, nil
}

// removeStale removes the socket of a process that has ended.
func removeStale(path string) error {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket; remove it or choose another path", path)
	}
	fd, err := nonblockingSocket(unix.AF_UNIX)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	switch err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err {
	case unix.ECONNREFUSED:
		return os.Remove(path)
	case unix.ENOENT:
		return nil
	case nil, unix.EAGAIN:
		return fmt.Errorf("%s: %w: another process listens on this socket", path, unix.EADDRINUSE)
	default:
		return os.NewSyscallError("connect", err)
	}
}

// listenUnix binds and listens. A socket with a mode never has a looser one,
// not even for a moment.
func listenUnix(path string, mode fs.FileMode) (fd int, err error) {
	if fd, err = nonblockingSocket(unix.AF_UNIX); err != nil {
		return 0, err
	}
	if mode == 0 || path[0] == '@' {
		err = bindPath(fd, path)
	} else {
		err = bindWithMode(fd, path, mode)
	}
	if err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, 4096))
	}
	if err != nil {
		_ = unix.Close(fd) // the cause is err
	}
	return fd, err
}

func bindPath(fd int, path string) error {
	return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
}

// removeSame removes the socket if it is still the one that was made here. The
// number of a removed file may soon be another's: its time distinguishes them.
func removeSame(path string, mine fs.FileInfo) {
	if now, err := os.Lstat(path); err == nil && os.SameFile(mine, now) && now.ModTime().Equal(mine.ModTime()) {
		_ = os.Remove(path) // who removed it meanwhile had the same in mind
	}
}
