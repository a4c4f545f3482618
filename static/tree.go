package static

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// A tree is where files come from. It is safe for concurrent use.
type tree interface {
	stat(name string) (fs.FileInfo, error)
	lstat(name string) (fs.FileInfo, error)
	// open opens a regular file. It may open what is not one, but waits for none.
	open(name string) (fs.File, error)
	Close() error
}

// reading opens a file that may have become something else since it was looked
// at: a FIFO has no writer to be waited for, a terminal does not become ours.
const reading = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY

// dirTree is a directory. What leads out of it is refused by os.Root, which
// walks with openat(2), and follows no link that it has not looked at.
type dirTree struct{ root *os.Root }

func openDir(path string) (dirTree, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return dirTree{}, fmt.Errorf("static: %w", err)
	}
	return dirTree{root}, nil
}

func (t dirTree) stat(name string) (fs.FileInfo, error)  { return t.root.Stat(name) }
func (t dirTree) lstat(name string) (fs.FileInfo, error) { return t.root.Lstat(name) }
func (t dirTree) open(name string) (fs.File, error)      { return t.root.OpenFile(name, reading, 0) }
func (t dirTree) Close() error                           { return t.root.Close() }

// isEscape reports whether os.Root has refused a name. It has no error of its
// own for that.
func isEscape(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p) && strings.Contains(p.Err.Error(), "escapes")
}

// fsTree is a file system of Go's.
type fsTree struct{ fs.FS }

func (t fsTree) stat(name string) (fs.FileInfo, error)  { return fs.Stat(t.FS, name) }
func (t fsTree) lstat(name string) (fs.FileInfo, error) { return fs.Lstat(t.FS, name) }
func (t fsTree) Close() error                           { return nil }

// open looks at the file first: opening a FIFO may wait.
func (t fsTree) open(name string) (fs.File, error) {
	switch info, err := t.stat(name); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errIrregular
	}
	return t.FS.Open(name)
}

// pathTree is all files of the machine, by their paths.
type pathTree struct{}

func (pathTree) stat(path string) (fs.FileInfo, error)  { return os.Stat(path) }
func (pathTree) lstat(path string) (fs.FileInfo, error) { return os.Lstat(path) }
func (pathTree) open(path string) (fs.File, error)      { return os.OpenFile(path, reading, 0) }
func (pathTree) Close() error                           { return nil }

var (
	errIrregular = errors.New("static: not a regular file")
	errLink      = errors.New("static: symbolic link")
)

// checkLinks returns errLink if an element of name is a symbolic link. It is a
// policy, not the boundary: what may write to the tree may be faster.
func checkLinks(t tree, name string) error {
	for i := 0; i < len(name); {
		end := strings.IndexByte(name[i:], '/')
		if end < 0 {
			end = len(name) - i
		}
		info, err := t.lstat(name[:i+end])
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return errLink
		}
		i += end + 1
	}
	return nil
}
