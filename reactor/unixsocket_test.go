//go:build unix

package reactor_test

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"weir/reactor"
)

// talks checks that an echoing reactor is behind the socket.
func (w *world) talks(path string) {
	w.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		w.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("ping"))
	got := make([]byte, 4)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "ping" {
		w.Errorf("got %q, %v, want ping", got, err)
	}
}

func (w *world) startEcho() {
	w.Helper()
	w.setup = func(p *probe) { p.onData = p.echo }
	w.start(reactor.Config{Loops: 2})
}

func TestUnixSocket(t *testing.T) {
	onSockets(t, func(w *world) {
		w.startEcho()
		path := filepath.Join(w.TempDir(), "weir.sock")
		addr, err := w.r.Listen("unix:" + path + "?mode=0620")
		if err != nil {
			w.Fatal(err)
		}
		if addr.Network() != "unix" || addr.String() != path {
			w.Errorf("got address %v, want %s", addr, path)
		}
		st, err := os.Stat(path)
		if err != nil || st.Mode().Perm() != 0o620 {
			w.Errorf("got mode %v, %v, want 0620", st.Mode(), err)
		}
		for range 4 {
			w.talks(path)
		}
		w.r.Close()
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			w.Errorf("got %v, want the socket removed at the end", err)
		}
	})
}

// dead leaves a socket that nobody listens on.
func (w *world) dead(path string) {
	w.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		w.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
}

func TestStaleUnixSocketIsReplaced(t *testing.T) {
	onSockets(t, func(w *world) {
		w.startEcho()
		path := filepath.Join(w.TempDir(), "weir.sock")
		w.dead(path)
		if _, err := w.r.Listen("unix:" + path); err != nil {
			w.Fatal(err)
		}
		w.talks(path)
	})
}

func TestLiveUnixSocketIsLeftAlone(t *testing.T) {
	onSockets(t, func(w *world) {
		w.startEcho()
		path := filepath.Join(w.TempDir(), "weir.sock")
		if _, err := w.r.Listen("unix:" + path); err != nil {
			w.Fatal(err)
		}
		_, err := w.r.Listen("unix:" + path)
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "another process listens") {
			w.Errorf("got %v, want EADDRINUSE with an explanation", err)
		}
		w.talks(path)
	})
}

func TestNoSocketIsLeftAlone(t *testing.T) {
	onSockets(t, func(w *world) {
		w.startEcho()
		dir := w.TempDir()
		file, link, sub := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "sub")
		os.WriteFile(file, []byte("precious"), 0o600)
		os.Symlink(file, link)
		os.Mkdir(sub, 0o700)
		for _, path := range []string{file, link, sub} {
			if _, err := w.r.Listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "is not a socket") {
				w.Errorf("%s: got %v, want a refusal", filepath.Base(path), err)
			}
			if _, err := os.Lstat(path); err != nil {
				w.Errorf("%s: %v", filepath.Base(path), err)
			}
		}
		if got, _ := os.ReadFile(file); string(got) != "precious" {
			w.Errorf("got %q in the file, want it untouched", got)
		}
	})
}

// Who took the path over in the meantime keeps it.
func TestUnixSocketOfAnotherIsNotRemoved(t *testing.T) {
	onSockets(t, func(w *world) {
		w.startEcho()
		path := filepath.Join(w.TempDir(), "weir.sock")
		if _, err := w.r.Listen("unix:" + path); err != nil {
			w.Fatal(err)
		}
		os.Remove(path) // the file system may give its number to the next
		w.dead(path)
		w.r.StopListening()
		if _, err := os.Lstat(path); err != nil {
			w.Errorf("got %v, want the other's socket", err)
		}
	})
}

func TestUnixAddresses(t *testing.T) {
	onSockets(t, func(w *world) {
		w.startEcho()
		long := strings.Repeat("x", 200)
		for spec, want := range map[string]string{
			"":                "missing",
			"?mode=0600":      "missing",
			long:              "bytes at most",
			"s?mode=rw":       "octal",
			"s?mode=0":        "octal",
			"s?mode=1777":     "octal",
			"s?owner=me":      "unknown parameter",
			"s?mode=%zz":      "invalid URL escape",
			"/nowhere/at/all": "no such file",
		} {
			if _, err := w.r.Listen("unix:" + spec); err == nil || !strings.Contains(err.Error(), want) {
				w.Errorf("%.20q: got %v, want %q in it", spec, err, want)
			}
		}
	})
}

func TestAbstractUnixSocket(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("abstract names are Linux's")
	}
	onSockets(t, func(w *world) {
		w.startEcho()
		name := "@weir-" + filepath.Base(w.TempDir()) + "-" + filepath.Base(os.Args[0])
		if _, err := w.r.Listen("unix:" + name); err != nil {
			w.Fatal(err)
		}
		w.talks(name)
		if _, err := w.r.Listen("unix:" + name); !errors.Is(err, syscall.EADDRINUSE) {
			w.Errorf("got %v, want EADDRINUSE", err)
		}
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			w.Errorf("got %v, want no file", err)
		}
	})
}

// A socket with a mode has no looser one at any moment: whoever looks at it
// while it is made sees none that lets others in.
func TestUnixSocketModeFromTheFirst(t *testing.T) {
	onSockets(t, func(w *world) {
		path := filepath.Join(w.TempDir(), "weir.sock")
		made, stop := make(chan bool), make(chan struct{})
		watched := make(chan fs.FileMode, 1)
		go func() {
			defer close(made)
			for range 500 {
				r, err := reactor.New(reactor.Config{Loops: 1})
				if err == nil {
					_, err = r.Listen("unix:" + path + "?mode=0600")
					r.Close()
				}
				if err != nil {
					w.Error(err)
					return
				}
			}
		}()
		go func() {
			defer close(watched)
			for {
				if st, err := os.Lstat(path); err == nil && st.Mode().Perm()&^0o600 != 0 {
					watched <- st.Mode().Perm()
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
		<-made
		close(stop)
		if mode, seen := <-watched; seen {
			w.Errorf("got mode %v seen, want 0600 at most", mode)
		}
	})
}
