//go:build cgo && unix

package cabi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/internal/patience"
	"weir/ws"
)

// serveSockets starts a server with the WebSocket handlers of those names, and
// returns its URL.
func serveSockets(t *testing.T, names ...string) (srv *weir.Server, url string) {
	t.Helper()
	mux := new(weir.Mux)
	for _, name := range names {
		find(t, name)
		mux.HandleLoop("/"+name+"/{id}", ws.Native(name, ws.Options{}))
	}
	srv = &weir.Server{Handler: mux, Logger: slog.New(slog.DiscardHandler)}
	srv.Timeouts.Drain = 2 * time.Second // WebSockets are closed within the first
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, srv) })
	return srv, "ws://" + srv.Addrs()[0].String() + "/"
}

func dial(t *testing.T, url string, o ws.DialOptions) *ws.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
	defer cancel()
	o.Timeout = patience.Limit
	c, err := ws.Dial(ctx, url, &o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// reads returns the next message of a WebSocket, or how it has ended.
func reads(c *ws.Conn) string {
	kind, p, err := c.Read()
	if err != nil {
		return fmt.Sprintf("%d", ws.CodeOf(err))
	}
	return fmt.Sprintf("%v %s", kind, p)
}

// awaitClosed waits until the plugin has closed as many WebSockets as it has
// opened, and none of its handles is alive.
func awaitClosed(t *testing.T) {
	t.Helper()
	for until := time.Now().Add(patience.Limit); ; time.Sleep(time.Millisecond) {
		opened, closed := counts(t)
		if opened == closed && calls.alive() == 0 {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("got %d opened, %d closed and %d handles", opened, closed, calls.alive())
		}
	}
}

// C's WebSockets on a real server, by a real client: messages, each side's Close,
// failures, and a thread that sends until the client disconnects.
func TestSocketServer(t *testing.T) {
	_, url := serveSockets(t, "socket/echo", "socket/greet", "socket/refuse", "socket/pushed", "socket/once")
	t.Run("echo", func(t *testing.T) {
		c := dial(t, url+"socket/echo/7", ws.DialOptions{Options: ws.Options{Subprotocols: []string{"chat", "v2.chat"}}})
		if c.Subprotocol() != "v2.chat" {
			t.Errorf("got %q, want the handler's preferred subprotocol", c.Subprotocol())
		}
		for _, m := range []string{"zwölf", "", strings.Repeat("x", 1<<20)} {
			if err := c.Send(ws.Text, []byte(m)); err != nil {
				t.Error(err)
			}
			if got := reads(c); got != "text "+m {
				t.Errorf("got %.100q", got)
			}
		}
		if err := c.Send(ws.Text, []byte("bye")); err != nil {
			t.Error(err)
		}
		if got := reads(c); got != "4001" {
			t.Errorf("got %q, want the handler's Close", got)
		}
		<-c.Done()
		awaitClosed(t)
		if got := told(t); !strings.Contains(got, " 4001 bye -1 -1 -1") {
			t.Errorf("got %q, want the code, and a number that is not alive", got)
		}
	})
	t.Run("the client closes", func(t *testing.T) {
		c := dial(t, url+"socket/echo/7", ws.DialOptions{})
		if err := c.Close(3001, "enough"); err != nil {
			t.Error(err)
		}
		<-c.Done()
		awaitClosed(t)
		if got := told(t); !strings.Contains(got, " 3001 enough -1 -1 -1") {
			t.Errorf("got %q, want the client's code", got)
		}
	})
	t.Run("a failure", func(t *testing.T) {
		c := dial(t, url+"socket/echo/7", ws.DialOptions{})
		if err := c.Send(ws.Text, []byte("fail")); err != nil {
			t.Error(err)
		}
		if got := reads(c); got != "1011" {
			t.Errorf("got %q, want 1011", got)
		}
		<-c.Done()
		awaitClosed(t)
		if got := told(t); !strings.Contains(got, " 1011 ") {
			t.Errorf("got %q, want 1011 for the handler, too", got)
		}
	})
	t.Run("open refuses", func(t *testing.T) {
		for query, want := range map[string]string{"": "1011", "?q=policy": "1008"} {
			c := dial(t, url+"socket/refuse/7"+query, ws.DialOptions{})
			if got := reads(c); got != want {
				t.Errorf("%s: got %q, want %s", query, got, want)
			}
			<-c.Done()
		}
		awaitClosed(t)
	})
	t.Run("the request and misuse", func(t *testing.T) {
		c := dial(t, url+"socket/greet/a%20b?q=c%20d", ws.DialOptions{})
		if got := reads(c); got != "text GET /socket/greet/a%20b a b c d  0" {
			t.Errorf("got %q, want the request", got)
		}
		if one, two := reads(c), reads(c); one != "binary " || two != "text -7 -7 -7 -7 -7 -7 -7 -7 -7 0 | -5 -5 -5 -5 -5 -5 | 0" {
			t.Errorf("got %q and %q", one, two)
		}
		if err := errors.Join(c.Send(ws.Text, nil), c.Close(ws.Normal, "")); err != nil {
			t.Error(err)
		}
		<-c.Done()
		awaitClosed(t)
	})
	t.Run("no functions but open", func(t *testing.T) {
		c := dial(t, url+"socket/once/7", ws.DialOptions{})
		if got := reads(c); got != "text once" {
			t.Errorf("got %q", got)
		}
		if err := errors.Join(c.Send(ws.Text, []byte("dropped")), c.Close(ws.Normal, "")); err != nil {
			t.Error(err)
		}
		<-c.Done()
		awaitClosed(t)
	})
	t.Run("threads", func(t *testing.T) {
		var all sync.WaitGroup
		for range 8 {
			c := dial(t, url+"socket/pushed/7", ws.DialOptions{})
			all.Go(func() {
				for range 500 {
					if got := reads(c); got != "text tick" {
						t.Errorf("got %q", got)
						break
					}
				}
				if err := c.Close(ws.Normal, ""); err != nil {
					t.Error(err)
				}
				<-c.Done()
			})
		}
		all.Wait()
		awaitClosed(t)
	})
}

// A shutdown closes C's WebSockets with 1001, also one whose thread sends.
func TestSocketDrain(t *testing.T) {
	srv, url := serveSockets(t, "socket/echo", "socket/pushed")
	quiet := dial(t, url+"socket/echo/7", ws.DialOptions{})
	pushed := dial(t, url+"socket/pushed/7", ws.DialOptions{})
	ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
	defer cancel()
	drained := make(chan error, 1)
	go func() {
		_, err := srv.Shutdown(ctx)
		drained <- err
	}()
	if got := reads(quiet); got != "1001" {
		t.Errorf("got %q, want 1001", got)
	}
	got := reads(pushed)
	for got == "text tick" {
		got = reads(pushed)
	}
	if got != "1001" {
		t.Errorf("got %q behind the messages, want 1001", got)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	awaitClosed(t)
}
