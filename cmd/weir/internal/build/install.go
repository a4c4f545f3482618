package build

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// checkOutput finds out before the work whether its result can be written.
func checkOutput(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("-o: %s is a folder: name the file in it", path)
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("-o: %s is not a regular file", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("-o: %w", err)
	}
	beside, err := besides(path)
	if err != nil {
		return err
	}
	return discard(beside)
}

// besides makes a file beside the one at path, to replace it.
func besides(path string) (*os.File, error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".weir-build-*")
	if err != nil {
		return nil, fmt.Errorf("-o: cannot write beside %s: %w", path, err)
	}
	return file, nil
}

func discard(file *os.File) error {
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// install puts the binary at path in one step: a process that runs the old one
// continues, and a part of it is never visible.
func install(binary, path string) (err error) {
	from, err := os.Open(binary)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := besides(path)
	if err != nil {
		return err
	}
	if err := copyProgram(to, from); err != nil {
		return errors.Join(fmt.Errorf("-o: %w", err), discard(to))
	}
	if err := to.Close(); err != nil {
		return errors.Join(fmt.Errorf("-o: %w", err), os.Remove(to.Name()))
	}
	if err := os.Rename(to.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("-o: %w", err), os.Remove(to.Name()))
	}
	return nil
}

// copyProgram copies what the go tool made, with the mode it gave it.
func copyProgram(to, from *os.File) error {
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	return to.Chmod(info.Mode().Perm())
}
