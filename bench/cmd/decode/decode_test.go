package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"weir/bench/internal/frame"
	"weir/plugin"
)

// Every way sends every token, in order, and knows whose client has left.
func TestWays(t *testing.T) {
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			url := "http://" + serve(t, name)
			if got := get(t, url+"/plaintext"); got != "Hello, World!" {
				t.Errorf("/plaintext: got %q", got)
			}
			wantTokens(t, get(t, url+"/tokens?n=5&interval=2ms&size=190&chunk=1"), 5)
			leave(t, url)
			var steps report
			if err := json.Unmarshal([]byte(get(t, url+"/steps")), &steps); err != nil || (steps.Steps > 0) != (w.send != nil) {
				t.Errorf("/steps: got %+v, %v", steps, err)
			}
			for _, bad := range []string{"/gone?n=x", "/tokens?n=x", "/elsewhere"} {
				res, err := http.Get(url + bad)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.StatusCode < 400 {
					t.Errorf("%s: got %s, want an error", bad, res.Status)
				}
			}
		})
	}
}

// started has the addresses of the servers by their ways: a handler can be registered once only, and -count is for all.
var started = map[string]string{}

func serve(t *testing.T, way string) string {
	t.Helper()
	if started[way] == "" {
		addr, err := start(way, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		started[way] = addr
	}
	return started[way]
}

func get(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: got %s, %v", url, res.Status, err)
	}
	return string(body)
}

func wantTokens(t *testing.T, body string, n int64) {
	t.Helper()
	var events frame.Events
	next, done := int64(0), false
	err := events.Feed([]byte(body), func(data []byte) {
		if frame.IsDone(data) {
			done = true
			return
		}
		if got, ok := frame.ParseNumber(data); !ok || got != next || len(data) != 190 {
			t.Errorf("got %q, want 190 bytes, number %d", data, next)
		}
		next++
	})
	if err != nil || next != n || !done {
		t.Errorf("got %d tokens, [DONE] %v, %v; want %d", next, done, err, n)
	}
}

// leave goes in the middle of a stream.
func leave(t *testing.T, url string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url+"/tokens?n=1000000&interval=2ms&chunk=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	if got := get(t, url+"/gone?n=1"); !strings.Contains(got, `"at":1`) {
		t.Errorf("/gone: got %q, want the time", got)
	}
}

// A sink without room gets its token in a later step, none is left out.
func TestRefusedTokensAreSentLater(t *testing.T) {
	l := newLoop(sendSingle)
	sink := &fakeSink{refuse: 2}
	l.active = []*sequence{{sink: sink}}
	l.active[0].N, l.active[0].Size, l.active[0].Chunk = 3, 190, true
	for !l.active[0].over {
		l.step()
	}
	wantTokens(t, sink.got, 3)
	if r := l.report(); r.Refused != 2 || r.Steps != 6 {
		t.Errorf("got %+v, want 6 steps and 2 refused tokens", r)
	}
}

type fakeSink struct {
	plugin.Sink
	refuse int
	got    string
}

func (f *fakeSink) TrySend(p []byte) error {
	if f.refuse > 0 {
		f.refuse--
		return plugin.ErrBacklog
	}
	f.got += string(p)
	return nil
}

func (f *fakeSink) Close() error { return nil }
