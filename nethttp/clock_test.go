package nethttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/nethttp"
	"weir/weirtest"
)

// This file is what depends on time, and on clients that do not read: by the fake
// clock.

// inMemory runs f with h on the memory kernel.
func inMemory(t *testing.T, h http.HandlerFunc, f func(t *testing.T, s *weirtest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		mux := new(weir.Mux)
		mux.Handle("/", nethttp.FromHTTP(h)).StreamBody()
		f(t, weirtest.Start(t, &weir.Server{Handler: mux, Logger: slog.New(slog.DiscardHandler)}))
	})
}

// A file of an announced length is sent by weir, as far as that goes, unless there
// is a deadline. It is not read here.
func TestReadFromFile(t *testing.T) {
	const size = 3<<20 + 64<<10
	path := filepath.Join(t.TempDir(), "f")
	text := strings.Repeat("0123456789abcde\n", size/16)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		length int // announced
		n      int64
		read   bool
		sets   func(w http.ResponseWriter)
		err    error
	}{
		{"whole", size, size, false, func(http.ResponseWriter) {}, nil},
		{"a part", 100_000, 100_000, false, func(http.ResponseWriter) {}, nil},
		{"behind other bytes", 100_003, 100_000, false, func(w http.ResponseWriter) { _, _ = io.WriteString(w, "abc") }, nil},
		{"longer than announced", 100_000, size, true, func(http.ResponseWriter) {}, http.ErrContentLength},
		{"small", 1000, 1000, true, func(http.ResponseWriter) {}, nil},
		{"to be sniffed", size, size, true, func(w http.ResponseWriter) { w.Header().Del("Content-Type") }, nil},
		{"not announced", size, size, true, func(w http.ResponseWriter) { w.Header().Del("Content-Length") }, nil},
		{"with a deadline", size, size, true, func(w http.ResponseWriter) {
			if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			inMemory(t, func(w http.ResponseWriter, r *http.Request) {
				f, err := os.Open(path)
				if err != nil {
					t.Error(err)
					return
				}
				defer f.Close()
				w.Header().Set("Content-Type", "text/plain")
				w.Header().Set("Content-Length", fmt.Sprint(test.length))
				test.sets(w)
				src := &readFile{File: f}
				if n, err := io.CopyN(w, src, test.n); !errors.Is(err, test.err) || err == nil && n != test.n || src.read != test.read {
					t.Errorf("got %d, %v, read %v, want %d, %v, read %v", n, err, src.read, test.n, test.err, test.read)
				}
			}, func(t *testing.T, s *weirtest.Server) {
				c := s.Get("/")
				resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(c.Received())), nil)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if want := text[:min(int64(test.length), test.n)]; err != nil || strings.TrimPrefix(string(body), "abc") != want {
					t.Errorf("got %d bytes, %v, want %d", len(body), err, len(want))
				}
			})
		})
	}
}

// readFile notes that it was read by Read.
type readFile struct {
	*os.File
	read bool
}

func (f *readFile) Read(p []byte) (int, error) {
	f.read = true
	return f.File.Read(p)
}

// A Write waits for a client that does not read, and continues with it.
func TestWriteWaits(t *testing.T) {
	const piece, pieces = 64 << 10, 32
	written := 0
	inMemory(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(piece*pieces))
		for range pieces {
			if _, err := w.Write(make([]byte, piece)); err != nil {
				t.Error(err)
			}
			written++
		}
	}, func(t *testing.T, s *weirtest.Server) {
		c := s.Dial()
		c.SetWindow(0)
		c.Get("/")
		s.Settle()
		if most := weir.DefaultLimits().HighMark/piece + 1; written > most {
			t.Errorf("got %d pieces written for a client that takes nothing, want at most %d", written, most)
		}
		c.SetWindow(256 << 10)
		if res := c.Response(); !res.Complete || len(res.Body) != piece*pieces || written != pieces {
			t.Errorf("got %d bytes (complete %v) of %d pieces", len(res.Body), res.Complete, written)
		}
	})
}

// A client that takes nothing at all ends the handler's Write.
func TestWriteToAStalledClient(t *testing.T) {
	var errs []error
	inMemory(t, func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				<-r.Context().Done() // the loop may not have seen it yet
				errs = append(errs, err, context.Cause(r.Context()))
				return
			}
		}
	}, func(t *testing.T, s *weirtest.Server) {
		c := s.Dial()
		c.SetWindow(0)
		c.Get("/")
		s.Tick(weir.DefaultTimeouts().WriteStall + time.Minute)
		if len(errs) != 2 || !errors.Is(errs[0], weir.ErrSlowClient) || !errors.Is(errs[1], weir.ErrSlowClient) {
			t.Errorf("got %v, want %v", errs, weir.ErrSlowClient)
		}
	})
}

func TestReadDeadline(t *testing.T) {
	var after time.Duration
	inMemory(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		buf := make([]byte, 10)
		if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(r.Body, buf[:4]); err != nil || string(buf[:4]) != "half" {
			t.Errorf("got %q, %v", buf[:4], err)
		}
		_ = c.SetReadDeadline(time.Time{})
		if n, err := r.Body.Read(buf); err != nil || string(buf[:n]) != "er" {
			t.Errorf("got %q, %v", buf[:n], err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		began := time.Now()
		_, err := r.Body.Read(buf)
		wantIs(t, "Read", err, os.ErrDeadlineExceeded)
		after = time.Since(began)
		_ = c.SetReadDeadline(time.Now().Add(time.Hour))
		_, err = r.Body.Read(buf)
		wantIs(t, "Read after a new deadline", err, os.ErrDeadlineExceeded)
		http.Error(w, "too slow", http.StatusRequestTimeout)
	}, func(t *testing.T, s *weirtest.Server) {
		c := s.Dial()
		c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
		s.Tick(2 * time.Second) // within the grace of slow bodies
		c.Send("er")
		s.Tick(2 * time.Second)
		if res := c.Response(); res.Status != 408 || after != time.Second {
			t.Errorf("got %d after %v, want a 408 after a second", res.Status, after)
		}
		s.Tick(10 * time.Second)
		wantIs(t, "connection", c.Err(), io.EOF)
	})
}

// A Write that waits ends at the deadline, and the response is cut.
func TestWriteDeadline(t *testing.T) {
	var errs []error
	var after time.Duration
	inMemory(t, func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		c := http.NewResponseController(w)
		_ = c.SetWriteDeadline(began.Add(time.Hour))
		_ = c.SetWriteDeadline(began.Add(time.Second))
		for len(errs) == 0 {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				errs = append(errs, err, c.Flush())
			}
		}
		after = time.Since(began)
	}, func(t *testing.T, s *weirtest.Server) {
		c := s.Dial()
		c.SetWindow(1000)
		c.Get("/")
		s.Tick(2 * time.Second)
		if len(errs) != 2 || !errors.Is(errs[0], os.ErrDeadlineExceeded) || errs[1] == nil || after != time.Second {
			t.Errorf("got %v after %v, want %v after a second", errs, after, os.ErrDeadlineExceeded)
		}
		c.SetWindow(1 << 20)
		if res := c.Response(); res.Complete || len(res.Body) < 64<<10 {
			t.Errorf("got %d bytes (complete %v), want what was accepted, cut", len(res.Body), res.Complete)
		}
		wantIs(t, "connection", c.Err(), io.EOF)
	})
}

// A shutdown gives a handler its time, and then ends it with the cause.
func TestShutdown(t *testing.T) {
	var cause error
	inMemory(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		cause = context.Cause(r.Context())
	}, func(t *testing.T, s *weirtest.Server) {
		c := s.Get("/")
		if res := c.Response(); res.Body != "begun" {
			t.Errorf("got %q, want what was flushed", res.Body)
		}
		report := s.Drain()
		s.Tick(time.Minute)
		if got := <-report; got.Cut != 1 {
			t.Errorf("got %+v, want one cut", got)
		}
		wantIs(t, "cause", cause, weir.ErrServerClosed)
		if all := c.Received(); strings.HasSuffix(all, "0\r\n\r\n") || c.Err() == nil {
			t.Errorf("got %q, then %v, want it cut", all, c.Err())
		}
	})
}

// What a handler flushes leaves at once; what it does not, with the end.
func TestFlush(t *testing.T) {
	inMemory(t, func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			fmt.Fprintln(w, i)
			if i < 2 {
				w.(http.Flusher).Flush()
			}
			time.Sleep(time.Second)
		}
	}, func(t *testing.T, s *weirtest.Server) {
		c := s.Get("/")
		for _, want := range []string{"0\n", "0\n1\n", "0\n1\n"} {
			if res := c.Response(); res.Complete || res.Body != want {
				t.Errorf("got %q (complete %v), want %q so far", res.Body, res.Complete, want)
			}
			s.Tick(time.Second)
		}
		if res := c.Response(); !res.Complete || !strings.HasSuffix(res.Body, "2\n") {
			t.Errorf("got %q (complete %v), want all", res.Body, res.Complete)
		}
		if n := c.Writes(); n != 3 {
			t.Errorf("got %d writes, want 3: one for each flush, and one for the end", n)
		}
	})
}
