package tour

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// T2, T4. What is published comes to the subscribers, and to one that comes back.
func TestTopics(t *testing.T) {
	s := start(t)
	open := func(path, last string) (*http.Response, *bufio.Reader) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}
		res, err := s.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res, bufio.NewReader(res.Body)
	}
	line := func(r *bufio.Reader) string {
		t.Helper()
		text, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(text, "\n")
	}
	res, lines := open("/subscribe", "")
	if got := res.Header.Get("Weir-Replay"); got != "live" || res.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("got %q and %s, want live and lines of JSON", got, res.Header.Get("Content-Type"))
	}
	_, events := open("/subscribe?topic=t&as=sse", "")
	place := line(events)
	line(events)
	for _, text := range []string{"one", "two"} {
		if r := s.do("POST", "/publish?topic=t", strings.NewReader(text)); r.body != `{"delivered":2}` {
			t.Errorf("got %q, want 2 delivered", r.body)
		}
	}
	var first struct{ ID, Data string }
	if err := json.Unmarshal([]byte(line(lines)), &first); err != nil || first.Data != "one" {
		t.Errorf("got %+v, %v", first, err)
	}
	if got := line(events) + " " + line(events); !strings.HasPrefix(place, "id: ") || got != "id: "+first.ID+" data: one" {
		t.Errorf("got %q behind %q, want the same event", got, place)
	}
	res, again := open("/subscribe", first.ID)
	if got := line(again); res.Header.Get("Weir-Replay") != "from="+first.ID || !strings.Contains(got, `"data":"two"`) {
		t.Errorf("got %s and %q, want what came behind %s", res.Header.Get("Weir-Replay"), got, first.ID)
	}
	if r := s.get("/subscribe?as=xml"); r.StatusCode != 400 {
		t.Errorf("got %d, want 400", r.StatusCode)
	}
	if r := s.do("POST", "/publish", strings.NewReader(strings.Repeat("x", 100_000))); r.StatusCode != 413 {
		t.Errorf("got %d, want 413", r.StatusCode)
	}
}
