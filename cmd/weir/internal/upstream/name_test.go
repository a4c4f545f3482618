package upstream

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/cmd/weir/internal/target"
)

// An upstream without an address looks its name up until that succeeds, at
// longer and longer intervals; another one of the same address inherits what is
// known.
func TestFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, asked := time.Now(), []time.Duration(nil)
		known := false
		var mu sync.Mutex // guards asked, known and changes
		lookup := func(context.Context, string) ([]string, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, time.Since(begin))
			if !known {
				return nil, &net.DNSError{Err: "no such host", Server: "10.0.0.53:53", IsNotFound: true}
			}
			return []string{"10.0.0.1", "::1"}, nil
		}
		changes := []target.Change(nil)
		cfg := Config{
			Name: "up", Endpoint: at(t, "http://llm:8000"), Lookup: lookup, Believed: 5 * time.Second,
			Standing: target.NewStanding(target.Config{}, func(c target.Change) {
				mu.Lock()
				defer mu.Unlock()
				changes = append(changes, c)
			}),
		}
		u := New(cfg)
		if err := u.Resolve(context.Background()); err == nil || !u.Standing.Lost() || u.Addresses() != nil {
			t.Errorf("got %v and %v, want that nothing is known", err, u.Addresses())
		}
		u.Start()
		defer u.Close()
		time.Sleep(13 * time.Second)
		mu.Lock()
		known = true
		mu.Unlock()
		time.Sleep(time.Hour)
		mu.Lock()
		if want := []time.Duration{0, 1e9, 3e9, 7e9, 12e9, 17e9}; !slices.Equal(asked, want) {
			t.Errorf("looked up after %v, want %v", asked, want)
		}
		if want := []string{"10.0.0.1:8000", "[::1]:8000"}; !slices.Equal(u.Addresses(), want) || u.Standing.Lost() {
			t.Errorf("got %q, want %q", u.Addresses(), want)
		}
		if len(changes) != 2 || changes[0].Reason != "no such host" || !changes[1].Up || changes[1].For != 17*time.Second {
			t.Errorf("got %+v, want the loss and the return", changes)
		}

		known = false
		mu.Unlock()
		next := New(cfg)
		next.Inherit(u)
		if err := next.Resolve(context.Background()); err == nil || !slices.Equal(next.Addresses(), u.Addresses()) || next.Standing.Lost() {
			t.Errorf("got %v and %q, want a failure that changes nothing", err, next.Addresses())
		}
		cfg.Endpoint = at(t, "http://llm:8001")
		other := New(cfg)
		other.Inherit(u)
		if other.Addresses() != nil {
			t.Errorf("got %q for another port, want nothing", other.Addresses())
		}
	})
}

// Close ends the look-ups.
func TestFindEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := New(Config{Name: "up", Endpoint: at(t, "http://llm:8000"), Lookup: func(context.Context, string) ([]string, error) { return nil, errors.New("no") }})
		_ = u.Resolve(context.Background())
		u.Start()
		time.Sleep(time.Minute)
		u.Close()
		synctest.Wait() // a goroutine that stayed would fail the test
	})
}

func TestWhyUnresolved(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&net.DNSError{Err: "no such host", Name: "h", Server: "10.0.0.53:53"}, "no such host"},
		{&net.DNSError{Err: "i/o timeout", IsTimeout: true}, "no name server has responded in time"},
		{context.DeadlineExceeded, "no name server has responded in time"},
		{errors.New("odd"), "odd"},
	} {
		if got := WhyUnresolved(tt.err); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.err, got, tt.want)
		}
	}
}
