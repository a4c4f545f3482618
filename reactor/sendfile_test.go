package reactor_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"weir/reactor"
)

// fileOf makes a file with that content.
func fileOf(t testing.TB, text []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// passFile sends a part of f behind head, as a producer does: it waits for room.
func (p *probe) passFile(head string, f *os.File, off int64, n int) (sent int, err error) {
	p.conn.Lock()
	add(p.conn, head)
	for {
		k, room, err := p.conn.SendFile(f, off+int64(sent), n-sent)
		sent += k
		p.conn.Flush()
		if err != nil || sent == n {
			return sent, err
		}
		if room == nil {
			return sent, errors.New("neither sent, nor room, nor an error")
		}
		<-room
		p.conn.Lock()
	}
}

func counted(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%07d\n", i)
	}
	return b.Bytes()[:n]
}

func TestSendFile(t *testing.T) {
	everywhere(t, func(w *world) {
		w.start(reactor.Config{})
		text := counted(3 << 20)
		f := fileOf(w, text)
		c, p := w.dial()
		if !p.conn.SendsFiles() {
			w.Skip("not with this kernel")
		}
		type result struct {
			n   int
			err error
		}
		done := make(chan result, 1)
		for _, part := range []struct{ off, n int }{{0, len(text)}, {5, 10}, {len(text) - 1, 1}, {100_000, 2 << 20}} {
			go func() {
				n, err := p.passFile("head:", f, int64(part.off), part.n)
				p.send(":tail")
				done <- result{n, err}
			}()
			w.reads(c, "head:"+string(text[part.off:part.off+part.n])+":tail")
			if got := <-done; got != (result{part.n, nil}) {
				w.Errorf("got %v, want %d sent", got, part.n)
			}
		}
		if at, err := f.Seek(0, io.SeekCurrent); at != 0 || err != nil {
			w.Errorf("got the file at %d, %v, want where it was", at, err)
		}
	})
}

// The kernel may take less at any point: before the head's end, behind it, in
// the file.
func TestSendFileAtEveryShortWrite(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		f := fileOf(w, []byte("0123456789"))
		for takes := range len("head:") + 10 {
			c, p := w.memory()
			c.ShortWrite(0, takes)
			done := make(chan error, 1)
			go func() {
				_, err := p.passFile("head:", f, 0, 10)
				p.send("$")
				done <- err
			}()
			w.reads(c, "head:0123456789")
			if err := <-done; err != nil {
				w.Errorf("%d: got %v", takes, err)
			}
			c.Close()
		}
	})
}

// What others append while a file is sent is sent behind the piece.
func TestSendFileBesideOthers(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		f := fileOf(w, []byte("file"))
		c, p := w.memory()
		entered, release := c.HoldWrite()
		done := make(chan error, 1)
		go func() {
			_, err := p.passFile("", f, 0, 4)
			done <- err
		}()
		<-entered
		p.send("<after>") // returns at once
		release()
		w.reads(c, "file<after>")
		if err := <-done; err != nil {
			w.Error(err)
		}
		// The other way round: a file waits for the one who writes.
		entered, release = c.HoldWrite()
		go p.send("<before>")
		<-entered
		go func() {
			_, err := p.passFile("", f, 0, 4)
			done <- err
		}()
		synctest.Wait()
		release()
		w.reads(c, "<before>file")
		if err := <-done; err != nil {
			w.Error(err)
		}
	})
}

// A goroutine that waits for room learns of every end.
func TestSendFileEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(w *world, c client, p *probe)
	}{
		{"the client disconnects", func(w *world, c client, _ *probe) { c.Reset() }},
		{"Abort", func(w *world, _ client, p *probe) { w.do(func() { p.conn.Abort(io.EOF) }) }},
		{"Close", func(w *world, _ client, p *probe) { w.do(p.conn.Close) }},
		{"the reactor stops", func(w *world, _ client, _ *probe) { w.r.Close() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			everywhere(t, func(w *world) {
				w.start(reactor.Config{})
				const size = 16 << 20 // more than any buffer
				f := fileOf(w, nil)
				if err := os.Truncate(f.Name(), size); err != nil {
					w.Fatal(err)
				}
				c, p := w.dial()
				if !p.conn.SendsFiles() {
					w.Skip("not with this kernel")
				}
				done := make(chan error, 1)
				go func() {
					_, err := p.passFile("", f, 0, size)
					done <- err
				}()
				w.reads(c, string(make([]byte, 1<<10)))
				w.settle()
				test.end(w, c, p)
				if err := <-done; err == nil {
					w.Error("got no error")
				}
			})
		})
	}
}

// A peer that acknowledges nothing is cut, although nothing is pending here.
func TestSendFileStalls(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{WriteStall: 30 * time.Second})
		f := fileOf(w, make([]byte, 1<<20))
		c, p := w.memory()
		c.SetWindow(1000)
		begin := time.Now()
		if _, err := p.passFile("", f, 0, 1<<20); !errors.Is(err, reactor.ErrStalled) {
			w.Errorf("got %v, want ErrStalled", err)
		}
		if got := time.Since(begin); got < 30*time.Second || got > 31*time.Second {
			w.Errorf("got it after %v, want 30 s", got)
		}
		p.expect(w, "closed")
	})
}

// A file that ends before, or cannot be read, is no fault of the connection's.
func TestSendFileThatFails(t *testing.T) {
	everywhere(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.dial()
		if !p.conn.SendsFiles() {
			w.Skip("not with this kernel")
		}
		f := fileOf(w, []byte("0123456789"))
		if n, err := p.passFile("<", f, 5, 100); n != 5 || !errors.Is(err, io.ErrUnexpectedEOF) {
			w.Errorf("got %d, %v, want 5 and ErrUnexpectedEOF", n, err)
		}
		if n, err := p.passFile("|", f, 50, 1); n != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
			w.Errorf("got %d, %v, want ErrUnexpectedEOF", n, err)
		}
		f.Close()
		if n, err := p.passFile("|", f, 0, 1); n != 0 || err == nil {
			w.Errorf("got %d, %v of a closed file", n, err)
		}
		if err := p.err(); err != nil {
			w.Errorf("got %v, want that the connection is well", err)
		}
		p.send(">")
		w.reads(c, "<56789||>")
	})
}
