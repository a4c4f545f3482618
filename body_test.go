package weir_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
)

// A client that sends faster than StreamBody's handler reads is paused.
func TestBodyBackPressure(t *testing.T) {
	const size = 4 << 20
	var (
		turn chan struct{}
		got  int64
	)
	m := new(weir.Mux)
	m.HandleFunc("PUT /s", func(w *weir.Response, r *weir.Request) {
		<-turn
		got, _ = io.Copy(io.Discard, r.BodyReader())
		w.WriteString("done")
	}).StreamBody()
	atDesk(t, m, nil, func(d *desk) {
		turn = make(chan struct{})
		c := d.dial("PUT /s HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n")
		sent := 0
		written := make(chan struct{})
		go func() {
			defer close(written)
			for p := make([]byte, 1<<10); sent < size; sent += len(p) {
				if _, err := c.Write(p); err != nil {
					t.Error(err)
					return
				}
			}
		}()
		synctest.Wait()
		if sent == 0 || sent > 300<<10 {
			t.Errorf("got %d bytes taken from the client while nobody reads them, want a few buffers", sent)
		}
		time.Sleep(time.Hour) // the client is not to blame
		close(turn)
		<-written
		if answer := d.seen(c); got != size || !strings.HasSuffix(answer, "done") {
			t.Errorf("got %d bytes and %q", got, answer)
		}
		c.Close()
	})
}

// L13: an answer that comes before the body was read is not lost to RST, however
// much of the body follows.
func TestEarlyAnswerIsNotLost(t *testing.T) {
	m := new(weir.Mux)
	m.HandleFunc("PUT /early", func(w *weir.Response, _ *weir.Request) { w.Error(401, "not you") }).StreamBody()
	m.HandleFunc("PUT /large", func(*weir.Response, *weir.Request) {}).MaxBody(10)
	srv := &weir.Server{Handler: m, Loops: 1}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer shutdown(t, srv)
	for path, want := range map[string]string{"/early": "401", "/large": "413", "/nowhere": "404"} {
		c := dialServer(t, srv)
		go func() {
			_, _ = io.WriteString(c, "PUT "+path+" HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"+strings.Repeat("x", 50000))
			// the server may have closed: what counts is what it said
		}()
		answer, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+want) {
			t.Errorf("%s: got %q, %v, want %s", path, answer, err, want)
		}
		c.Close()
	}
}

// What a body that does not arrive whole is to its reader.
func TestBodyReaderErrors(t *testing.T) {
	tests := []struct {
		name, body string
		then       func(d *desk, c io.Closer)
		want       error
	}{
		{"too large", "6\r\n012345\r\n", nil, weir.ErrBodyTooLarge},
		{"too slow", "4\r\n01", func(*desk, io.Closer) { time.Sleep(6 * time.Second) }, weir.ErrTimeout},
		{"the client leaves", "4\r\n01", func(_ *desk, c io.Closer) { c.Close() }, weir.ErrClientGone},
		{"shutdown", "4\r\n01", func(d *desk, _ io.Closer) { d.cut() }, weir.ErrServerClosed},
		{"whole", "2\r\n01\r\n0\r\n\r\n", nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			y := new(tally)
			m := new(weir.Mux)
			m.HandleFunc("PUT /s", func(_ *weir.Response, r *weir.Request) {
				if n, err := r.BodyReader().Read(nil); n != 0 || err != nil {
					t.Errorf("reading nothing: got %d, %v", n, err)
				}
				_, err := io.ReadAll(r.BodyReader())
				y.tell(err)
				if again := func() error { _, err := r.BodyReader().Read(make([]byte, 1)); return err }(); err != nil && again != err {
					t.Errorf("read again: got %v, want %v", again, err)
				}
			}).StreamBody().MaxBody(5)
			atDesk(t, m, nil, func(d *desk) {
				c := d.dial("PUT /s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + test.body)
				synctest.Wait()
				if test.then != nil {
					test.then(d, c)
				}
				synctest.Wait()
				if got := y.told(); len(got) != 1 || !errors.Is(got[0], test.want) {
					t.Errorf("got %v, want %v", got, test.want)
				}
				c.Close()
			})
		})
	}
}

// A handler without StreamBody reads the buffered body.
func TestBodyReaderOfABufferedBody(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"POST /s": func(w *weir.Response, r *weir.Request) {
		_, _ = io.Copy(writer(w.Write), r.BodyReader())
	}})
	atDesk(t, m, nil, func(d *desk) {
		if _, body := d.exchange("POST /s HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"); body != "body" {
			t.Errorf("got %q", body)
		}
	})
}
