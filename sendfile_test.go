package weir_test

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"weir"
)

// sendsFile is a handler that sends a file, and reports what SendFile returned.
func sendsFile(f *os.File, off, n, length int64, results chan<- error) weir.HandlerFunc {
	return func(w *weir.Response, _ *weir.Request) {
		if length >= 0 {
			w.SetContentLength(length)
		}
		s := w.Stream()
		sent, err := s.SendFile(f, off, n)
		if err == nil && sent != n {
			err = errors.New("short")
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			s.Abort(err)
		}
		results <- err
	}
}

// S17, S22: with a length the kernel sends the file, in chunks it is copied;
// what the client gets is the same.
func TestSendFile(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 20_000)
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := int64(len(text))
	for _, test := range []struct {
		name           string
		off, n, length int64
		request        string
		want           error
		body           string
	}{
		{"with a length", 0, size, size, "GET / HTTP/1.1", nil, text},
		{"a part", 17, 100_000, 100_000, "GET / HTTP/1.1", nil, text[17:100_017]},
		{"nothing", 17, 0, 0, "GET / HTTP/1.1", nil, ""},
		{"in chunks", 5, size - 5, -1, "GET / HTTP/1.1", nil, text[5:]},
		{"HTTP/1.0", 5, size - 5, -1, "GET / HTTP/1.0", nil, text[5:]},
		{"HEAD", 0, size, size, "HEAD / HTTP/1.1", weir.ErrNoBody, ""},
		{"more than the length", 0, 11, 10, "GET / HTTP/1.1", weir.ErrLength, "Internal Server Error\n"},
		{"more than there is", 0, math.MaxInt64, 10, "GET / HTTP/1.1", weir.ErrLength, "Internal Server Error\n"},
		{"it ends before", size - 5, 10, 10, "GET / HTTP/1.1", io.ErrUnexpectedEOF, text[size-5:]},
		{"it ends before, in chunks", size - 5, 10, -1, "GET / HTTP/1.1", io.ErrUnexpectedEOF, text[size-5:]},
	} {
		t.Run(test.name, func(t *testing.T) {
			results := make(chan error, 1)
			m := new(weir.Mux)
			m.Handle("GET /", sendsFile(f, test.off, test.n, test.length, results))
			atDesk(t, m, nil, func(d *desk) {
				c := d.dial(test.request + "\r\nHost: a\r\n\r\n")
				defer c.Close()
				head, body := cutHead(d.seen(c))
				if err := <-results; !errors.Is(err, test.want) {
					d.Errorf("got %v, want %v", err, test.want)
				}
				if strings.Contains(head, "chunked") {
					body = chunksOf(body)
				} else if test.length >= 0 && test.want != weir.ErrLength && !strings.HasSuffix(head, "Content-Length: "+strconv.FormatInt(test.length, 10)) {
					d.Errorf("got head %q", head)
				}
				if body != test.body {
					d.Errorf("got %d bytes, want %d", len(body), len(test.body))
				}
			})
		})
	}
}

// chunksOf joins the chunks of a body, which may be truncated.
func chunksOf(p string) (body string) {
	for {
		size, rest, _ := strings.Cut(p, "\r\n")
		n, err := strconv.ParseInt(size, 16, 64)
		if err != nil || n == 0 || int(n) > len(rest) {
			return body
		}
		body += rest[:n]
		p = strings.TrimPrefix(rest[n:], "\r\n")
	}
}

// What others send beside a file does not make the body longer than announced.
func TestSendFileBesideSend(t *testing.T) {
	const size = 1 << 20
	f := tempFile(t, size)
	results := make(chan error, 1)
	streams := make(chan *weir.Stream, 1)
	m := new(weir.Mux)
	m.HandleFunc("GET /", func(w *weir.Response, r *weir.Request) {
		_, _ = w.WriteString("abc")
		if r.RawQuery() == "max" {
			w.SetContentLength(5)
			_, err := w.Stream().SendFile(f, 0, math.MaxInt64)
			results <- err
			return
		}
		streams <- w.Stream()
		w.SetContentLength(3 + size)
		_, err := w.Stream().SendFile(f, 0, size)
		results <- err
	})
	atDesk(t, m, nil, func(d *desk) {
		c := d.Dial()
		defer c.Close()
		c.SetWindow(100_000)
		c.Get("/")
		s := <-streams
		d.Settle()
		sent := make(chan error, 1)
		go func() { sent <- s.Send([]byte("between")) }()
		body := d.truncated(c)
		if err := <-results; !errors.Is(err, weir.ErrLength) || len(body) > 3+size {
			d.Errorf("got %d bytes and %v, want at most %d and ErrLength", len(body), err, 3+size)
		}
		<-sent
		c = d.get("/?max")
		defer c.Close()
		if _, body := cutHead(d.seen(c)); strings.HasPrefix(body, "abc") {
			d.Errorf("got %q", body)
		}
		if err := <-results; !errors.Is(err, weir.ErrLength) {
			d.Errorf("got %v, want ErrLength", err)
		}
	})
}

// A file that is copied is read as the client takes it, not ahead: what waits
// holds no piece.
func TestSendFileDoesNotReadAhead(t *testing.T) {
	f := &countedFile{File: tempFile(t, 4<<20)}
	m := new(weir.Mux)
	streams := make(chan *weir.Response, 1)
	m.HandleFunc("GET /", func(w *weir.Response, _ *weir.Request) {
		streams <- w
		_, _ = w.Stream().SendFile(f, 0, 4<<20)
	})
	atDesk(t, m, nil, func(d *desk) {
		c := d.Dial()
		defer c.Close()
		c.SetWindow(10_000)
		d.write(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		w := <-streams
		d.Settle()
		if got, want := f.read.Load(), w.Stats().Bytes; got != want || want == 0 {
			d.Errorf("got %d bytes read, of which the connection has %d", got, want)
		}
	})
}

type countedFile struct {
	*os.File
	read atomic.Int64
}

func (f *countedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	f.read.Add(int64(n))
	return n, err
}

// A file's own type may refuse to be sent any further.
func TestSendFileIsRefused(t *testing.T) {
	for _, length := range []int64{-1, 1 << 20} {
		f := &refusingFile{tempFile(t, 1<<20), 300_000}
		results := make(chan error, 1)
		m := new(weir.Mux)
		m.HandleFunc("GET /", func(w *weir.Response, _ *weir.Request) {
			if length >= 0 {
				w.SetContentLength(length)
			}
			_, err := w.Stream().SendFile(f, 0, 1<<20)
			w.Stream().Abort(err)
			results <- err
		})
		atDesk(t, m, nil, func(d *desk) {
			c := d.get("/")
			defer c.Close()
			if _, body := cutHead(d.seen(c)); len(body) > 320_000 {
				d.Errorf("got %d bytes", len(body))
			}
			if err := <-results; !errors.Is(err, errLuck) {
				d.Errorf("got %v, want the file's error", err)
			}
		})
	}
}

// refusingFile cannot be read from a place on.
type refusingFile struct {
	*os.File
	from int64
}

func (f *refusingFile) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.from {
		return 0, errLuck
	}
	return f.File.ReadAt(p, off)
}

// tempFile is an open file of zeros.
func tempFile(t *testing.T, size int64) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestSendFileOnTheLoop(t *testing.T) {
	f, err := os.Open("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	results := make(chan error, 1)
	m := new(weir.Mux)
	m.Handle("GET /", sendsFile(f, 0, 1, 1, results)).Inline()
	atDesk(t, m, nil, func(d *desk) {
		c := d.get("/")
		defer c.Close()
		d.seen(c)
		if err := <-results; err != weir.ErrBlockingOnLoop {
			d.Errorf("got %v, want ErrBlockingOnLoop", err)
		}
	})
}

// A producer that waits to send more of a file learns of the end of its client,
// and of an Abort by others.
func TestSendFileIsInterrupted(t *testing.T) {
	f := tempFile(t, 4<<20)
	for _, end := range []string{"reset", "abort", "cut"} {
		t.Run(end, func(t *testing.T) {
			results, streams := make(chan error, 1), make(chan *weir.Stream, 1)
			m := new(weir.Mux)
			m.HandleFunc("GET /", func(w *weir.Response, r *weir.Request) {
				streams <- w.Stream()
				sendsFile(f, 0, 4<<20, 4<<20, results)(w, r)
			})
			atDesk(t, m, nil, func(d *desk) {
				c := d.Dial()
				defer c.Close()
				c.SetWindow(10_000)
				d.write(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				s := <-streams
				d.Settle()
				want := errLuck
				switch end {
				case "reset":
					c.Reset()
					want = weir.ErrClientGone
				case "abort":
					s.Abort(errLuck)
				case "cut":
					d.cut()
					want = weir.ErrServerClosed
				}
				if err := <-results; !errors.Is(err, want) {
					d.Errorf("got %v, want %v", err, want)
				}
			})
		})
	}
}

// The kernel takes more of a large file, and of nothing else.
func TestSendFileWidens(t *testing.T) {
	f := tempFile(t, 1<<20)
	results := make(chan error, 10)
	m := new(weir.Mux)
	m.Handle("GET /large", sendsFile(f, 0, 1<<20, 1<<20, results))
	m.Handle("GET /small", sendsFile(f, 0, 1000, 1000, results))
	m.HandleFunc("GET /text", func(w *weir.Response, _ *weir.Request) { w.WriteString("text") })
	m.HandleFunc("GET /s", piped(t, func(p *weir.Pipe) { <-p.Done() }))
	atDesk(t, m, nil, func(d *desk) {
		c := d.Dial()
		defer c.Close()
		for _, step := range []struct {
			path string
			wide int
		}{{"text", 0}, {"small", 0}, {"large", 1}, {"large", 1}, {"small", 1}, {"text", 0}, {"large", 1}, {"text", 0}} {
			c.Get("/" + step.path)
			d.seen(c)
			if got := d.kernel().Wide(); got != step.wide {
				d.Errorf("%s: got %d wide, want %d", step.path, got, step.wide)
			}
		}
		c.Get("/large")
		d.seen(c)
		d.write(c, askEcho)
		if d.seen(c); d.kernel().Wide() != 0 {
			d.Error("a pipe: got a wide connection")
		}
	})
}

// io.Copy and io.CopyN of a file go by SendFile if the length was announced.
func TestReadFromAFile(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 20_000)
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	size := int64(len(text))
	for _, test := range []struct {
		name      string
		off, n    int64 // n = 0: to its end
		announced bool
	}{
		{"whole", 0, 0, true}, {"from a place", 7, 0, true}, {"a part", 7, 200_000, true}, {"a small part", 7, 100, true}, {"in chunks", 7, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			want := text[test.off:]
			if test.n > 0 {
				want = want[:test.n]
			}
			m := new(weir.Mux)
			m.HandleFunc("GET /", func(w *weir.Response, _ *weir.Request) {
				if _, err := f.Seek(test.off, io.SeekStart); err != nil {
					t.Error(err)
				}
				if test.announced {
					w.SetContentLength(int64(len(want)))
				}
				var n int64
				if test.n > 0 {
					n, err = io.CopyN(w, f, test.n)
				} else {
					n, err = io.Copy(w, f)
				}
				if at, _ := f.Seek(0, io.SeekCurrent); err != nil || n != int64(len(want)) || test.n == 0 && at != size {
					t.Errorf("got %d bytes, %v, the file at %d", n, err, at)
				}
			})
			atDesk(t, m, nil, func(d *desk) {
				c := d.get("/")
				defer c.Close()
				head, body := cutHead(d.seen(c))
				if strings.Contains(head, "chunked") {
					body = chunksOf(body)
				}
				if body != want {
					d.Errorf("got %d bytes, want %d", len(body), len(want))
				}
				if d.kernel().Wide() != map[bool]int{true: 1}[test.announced && len(want) > 64<<10] {
					d.Errorf("got %d wide connections", d.kernel().Wide())
				}
			})
		})
	}
}
