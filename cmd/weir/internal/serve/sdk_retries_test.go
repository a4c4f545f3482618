package serve

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/mock"
)

// G6: the gateway tries as often as it may, and honours Retry-After within its
// budget. It does not keep the client from retrying: the packages do as they
// would without it.
func TestSDKRetries(t *testing.T) {
	up := mock.Start(t, mock.Config{Tokens: 3})
	other := mock.Start(t, mock.Config{Tokens: 3})
	const breaker = "breaker: {share: 0}"
	g := serve(t, fmt.Sprintf("retry_budget: {floor: 1000}\nupstreams:\n  up: {url: %q, %s}\n  other: {url: %q, %s}\n", up.URL(), breaker, other.URL(), breaker)+`models:
  m: {retries: 2, targets: [{upstream: up}]}
  once: {retries: 0, targets: [{upstream: up}]}
  two: {retries: 1, targets: [{upstream: up}, {upstream: other}]}
`)
	tests := []struct {
		name, model   string
		set           map[string]string
		times         int // how often the upstream refuses; 0 = always
		class         string
		status        int
		asked, others int
	}{
		{name: "429 with Retry-After-Ms", model: "m", set: mock.Set{"status": "429", "header-retry-after-ms": "5"}, class: "RateLimitError", status: 429, asked: 3},
		{name: "429 with Retry-After", model: "m", set: mock.Set{"status": "429", "retry-after": "1"}, times: 1, asked: 2},
		{name: "503 with Retry-After-Ms", model: "m", set: mock.Set{"status": "503", "header-retry-after-ms": "5"}, class: "InternalServerError", status: 503, asked: 3},
		{name: "429 with no retries", model: "once", set: mock.Set{"status": "429", "header-retry-after-ms": "5"}, class: "RateLimitError", status: 429, asked: 1},
		{name: "429 with Retry-After beyond the budget", model: "m", set: mock.Set{"status": "429", "retry-after": "3600"}, class: "RateLimitError", status: 429, asked: 1},
		{name: "429 without Retry-After", model: "m", set: mock.Set{"status": "429"}, class: "RateLimitError", status: 429, asked: 1},
		{name: "500", model: "m", set: mock.Set{"status": "500"}, class: "InternalServerError", status: 500, asked: 1},
		{name: "429 from both", model: "two", set: mock.Set{"status": "429"}, class: "RateLimitError", status: 429, asked: 1, others: 1},
		{name: "429, then well", model: "m", set: mock.Set{"status": "429", "header-retry-after-ms": "5"}, times: 2, asked: 3},
	}
	requests := 0
	eachSDK(t, []string{"openai (npm)", "openai (PyPI)"}, func(t *testing.T, _ string, open func(string) *sdk) {
		s := open(g.url)
		for _, tt := range tests {
			for _, mode := range []string{"once", "stream"} {
				t.Run(tt.name+"/"+mode, func(t *testing.T) {
					for _, m := range []*mock.Server{up, other} {
						m.Forget()
						if err := m.SetRules(mock.Rule{Times: tt.times, Set: tt.set}); err != nil {
							t.Fatal(err)
						}
					}
					_, last := s.ask(wish{Mode: mode, Model: tt.model})
					requests++
					if tt.status == 0 && (last.Type != "done" || last.Text != "token 0 token 1 token 2 ") {
						t.Errorf("got %+v, want the answer", last)
					}
					if tt.status != 0 && (last.Type != "error" || last.Class != tt.class || last.Status != tt.status) {
						t.Errorf("got %+v, want %s, status %d", last, tt.class, tt.status)
					}
					if a, b := up.Counts().Requests, other.Counts().Requests; a != tt.asked || b != tt.others {
						t.Errorf("the upstreams saw %d and %d requests, want %d and %d", a, b, tt.asked, tt.others)
					}
				})
			}
		}
		up.Forget()
		if err := up.SetRules(mock.Rule{Set: mock.Set{"status": "429", "header-retry-after-ms": "5"}}); err != nil {
			t.Fatal(err)
		}
		_, last := s.ask(wish{Mode: "once", Model: "once", Retries: 2})
		if n := up.Counts().Requests; last.Class != "RateLimitError" || n != 3 {
			t.Errorf("got %+v after %d requests, want a RateLimitError after 3", last, n)
		}
		requests += 3
		// Without the gateway they retry as well.
		up.Forget()
		direct := open(up.URL())
		_, last = direct.ask(wish{Mode: "once", Model: "m", Retries: 2, Headers: map[string]string{"x-mock-status": "429", "x-mock-header-retry-after-ms": "5"}})
		if n := up.Counts().Requests; last.Class != "RateLimitError" || n != 3 {
			t.Errorf("without the gateway: got %+v after %d requests, want a RateLimitError after 3", last, n)
		}
	})
	g.end()
	if n := strings.Count(g.out.String(), `"msg":"request"`); n != requests {
		t.Errorf("the gateway saw %d requests, want %d: one for each that was wished", n, requests)
	}
}

// A gateway that has no place left says 503 and when to come again; then the
// packages do come again, no sooner, and their users never know.
func TestSDKOverloaded(t *testing.T) {
	up := mock.Start(t, mock.Config{Tokens: 3})
	g := serve(t, fmt.Sprintf("upstreams: {up: {url: %q, max_streams: 1}}\nmodels: {m: {targets: [{upstream: up}]}}\n", up.URL()))
	// entries are the log's lines of the requests so far, but for the one that
	// takes the place.
	entries := func(t *testing.T, n int) (all []struct {
		Time   time.Time
		Status int
	}) {
		t.Helper()
		lines := g.out.wait(t, n, `"status":(503|200)`)
		all = make([]struct {
			Time   time.Time
			Status int
		}, len(lines))
		for i, line := range lines {
			decode(t, line, &all[i])
		}
		return all
	}
	seen := 0
	eachSDK(t, []string{"openai (npm)", "openai (PyPI)", "ai (npm)"}, func(t *testing.T, name string, open func(string) *sdk) {
		up.Forget()
		res, err := client.Do(asked(t, "POST", g.url+chat, askStream, "x-mock-fault", "stall-after=2"))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.ReadFull(res.Body, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		s := open(g.url)

		s.wish(wish{Model: "m"}) // it does not retry
		_, last := s.answer()
		class := "InternalServerError"
		if name == "ai (npm)" {
			class = "AI_APICallError"
		} else if last.Code != "upstreams_full" {
			t.Errorf("got code %q, want upstreams_full", last.Code)
		}
		if last.Class != class || last.Status != 503 || up.Counts().Requests != 1 {
			t.Errorf("got %+v and %d requests at the upstream, want %s, 503 and 1", last, up.Counts().Requests, class)
		}
		seen++
		entries(t, seen)

		s.wish(wish{Model: "m", Retries: 1})
		seen++
		entries(t, seen) // refused once
		res.Body.Close()
		wait(t, up, func(c mock.Counts) bool { return c.Left == 1 && c.Open == 0 })
		text, last := s.answer()
		if last.Type != "done" || text != "token 0 token 1 token 2 " {
			t.Errorf("got %q, %+v, want the answer", text, last)
		}
		seen++
		all := entries(t, seen)
		first, again := all[seen-2], all[seen-1]
		// The log is written at a request's end, and tells milliseconds at least.
		if waited := again.Time.Sub(first.Time); first.Status != 503 || again.Status != 200 || waited < time.Second-10*time.Millisecond {
			t.Errorf("got %d, and %d after %v, want 503, and 200 after Retry-After's second", first.Status, again.Status, waited)
		}
		if n := up.Counts().Requests; n != 2 {
			t.Errorf("the upstream saw %d requests, want 2", n)
		}
	})
	g.end()
}
