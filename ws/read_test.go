package ws_test

import (
	"errors"
	"testing"

	"weir"
	"weir/ws"
)

// W16: a goroutine that is woken by the end, in Read or by Done, before the loop
// has reported it, has the cause all the same.
func TestTheCauseIsKnown(t *testing.T) {
	ends := make(chan error, 2)
	m := new(weir.Mux)
	m.HandleFunc("GET /ws", func(w *weir.Response, r *weir.Request) {
		c, err := ws.Accept(w, r, ws.Options{})
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			<-c.Done()
			ends <- c.Err()
		}()
		_, _, err = c.Read()
		ends <- err
	})
	at(t, m, nil, func(d *table) {
		for i := range 300 {
			c := d.opened()
			if i%2 == 0 {
				c.Reset()
			} else {
				c.Close()
			}
			if one, two := <-ends, <-ends; !errors.Is(one, weir.ErrClientGone) || !errors.Is(two, weir.ErrClientGone) {
				t.Fatalf("connection %d: got %v and %v, want ErrClientGone", i, one, two)
			}
		}
	})
}

// W16: the return of a handler of Accept is a cause, too.
func TestReturnIsACause(t *testing.T) {
	ends := make(chan error, 1)
	m := new(weir.Mux)
	m.HandleFunc("GET /ws", func(w *weir.Response, r *weir.Request) {
		c, err := ws.Accept(w, r, ws.Options{})
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			<-c.Done()
			ends <- c.Err()
		}()
	})
	at(t, m, nil, func(d *table) {
		for range 100 {
			c := d.open("")
			if err := <-ends; err == nil || ws.CodeOf(err) != ws.Normal {
				t.Fatalf("got %v, want 1000", err)
			}
			c.Close()
		}
	})
}
