package mock

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// call does a request with net/http, on a connection of its own.
func call(t *testing.T, s *Server, method, path, body string, fields ...string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequest(method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	for _, f := range fields {
		if name, value, ok := strings.Cut(f, ": "); ok {
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, readAll(t, resp.Body)
}

func decoded[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// TestControlLog: what is seen over HTTP is what Log says, and /mock/ is not in it.
func TestControlLog(t *testing.T) {
	s := Start(t, Config{Tokens: fewTokens})
	call(t, s, "POST", chatPath, streamBody, "X-Some: thing", "X-Mock-Fault: no-done")
	status, text := call(t, s, "GET", "/mock/wait?ended=1&closed=1&requests=1&bodies=1&opened=1&open=0&left=0&events=5&timeout=5s", "")
	want := Counts{Opened: 1, Closed: 1, Requests: 1, Bodies: 1, Ended: 1, Events: 5}
	if got := decoded[Counts](t, text); status != 200 || got != want {
		t.Errorf("wait: got %d %+v, want 200 %+v", status, got, want)
	}
	_, text = call(t, s, "GET", "/mock/log", "")
	log := decoded[Log](t, text)
	if log.Counts != want || len(log.Requests) != 1 || len(log.Connections) != 1 {
		t.Fatalf("got %s, want one request on one connection", text)
	}
	q := log.Requests[0]
	if q.Method != "POST" || q.Target != chatPath || q.Get("x-some") != "thing" || q.Get("none") != "" || q.Body != streamBody ||
		q.Model != "m" || !q.Stream || q.Status != 200 || q.Events != 5 || !q.Whole || q.Faults != "no-done" || q.Ended.IsZero() {
		t.Errorf("got %+v", q)
	}
	call(t, s, "DELETE", "/mock/log", "")
	_, text = call(t, s, "GET", "/mock/log", "")
	if log := decoded[Log](t, text); log.Counts != (Counts{}) || len(log.Requests)+len(log.Connections) != 0 {
		t.Errorf("after DELETE: got %s, want nothing", text)
	}
}

func TestControlConnections(t *testing.T) {
	s := Start(t, Config{})
	c := dial(t, s)
	await(t, s, func(n Counts) bool { return n.Open == 1 })
	_, text := call(t, s, "GET", "/mock/connections", "")
	if got := decoded[[]Conn](t, text); len(got) != 1 || got[0].ID != 1 {
		t.Errorf("got %s, want connection 1", text)
	}
	c.tcp.Close()
	call(t, s, "GET", "/mock/wait?open=0&closed=1", "")
	_, text = call(t, s, "GET", "/mock/connections", "")
	if got := decoded[[]Conn](t, text); len(got) != 0 {
		t.Errorf("got %s, want none", text)
	}
}

// TestControlKeepAlive: a connection may have many such requests.
func TestControlKeepAlive(t *testing.T) {
	s := Start(t, Config{})
	c := dial(t, s)
	const request = "GET /mock/connections HTTP/1.1\r\nHost: mock\r\n\r\n"
	const answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[]\n"
	c.send(request + request)
	c.want(answer + answer)
	c.tcp.Close()
	if n := s.Counts(); n.Opened != 0 || n.Closed != 0 {
		t.Errorf("got %+v, want nothing counted", n)
	}
}

func TestWaitWakes(t *testing.T) {
	s := Start(t, Config{})
	c := dial(t, s)
	c.send("GET /mock/wait?events=2 HTTP/1.1\r\nHost: mock\r\n\r\n")
	other := dial(t, s)
	r := chat{body: streamBody, fields: []string{"x-mock-fault: stall-after=2"}}
	other.send(r.String())
	c.want("HTTP/1.1 200 OK\r\n")
	if got := s.Counts().Events; got != 2 {
		t.Errorf("got %d events, want 2", got)
	}
}

func TestWaitTimesOut(t *testing.T) {
	s := Start(t, Config{})
	start := time.Now()
	status, text := call(t, s, "GET", "/mock/wait?closed=1&timeout=30ms", "")
	if status != 504 || decoded[Counts](t, text) != (Counts{}) || time.Since(start) < 30*time.Millisecond {
		t.Errorf("got %d %s after %v, want 504 and no counts after 30ms", status, text, time.Since(start))
	}
}

func TestControlRefuses(t *testing.T) {
	s := Start(t, Config{})
	for _, tc := range []struct {
		method, path, body string
		status             int
		problem            string
	}{
		{"GET", "/mock/wait?clsed=1", "", 400, `there is nothing to wait for named "clsed"`},
		{"GET", "/mock/wait?closed=x", "", 400, `want a number from 0 on, got "x"`},
		{"GET", "/mock/wait?timeout=x", "", 400, `want a duration such as "10ms", got "x"`},
		{"PUT", "/mock/health?status=99", "", 400, "status: want a number from 200 to 599"},
		{"PUT", "/mock/rules", "rules: [{set: {tokens: -1}}]", 400, `rule 1: mock: setting tokens: want a number from 0 on, got "-1"`},
		{"GET", "/mock/nothing", "", 404, "there is no GET /mock/nothing"},
		{"POST", "/mock/log", "", 404, "there is no POST /mock/log"},
		{"OPTIONS", "/mock/rules", "", 404, "there is no OPTIONS /mock/rules"}, // a preflight
	} {
		status, text := call(t, s, tc.method, tc.path, tc.body)
		if got := decoded[problem](t, text); status != tc.status || got.Error != tc.problem {
			t.Errorf("%s %s: got %d %q, want %d %q", tc.method, tc.path, status, got.Error, tc.status, tc.problem)
		}
	}
}

func TestEndpoints(t *testing.T) {
	s := Start(t, Config{Models: []string{"a", "b"}})
	for _, tc := range []struct {
		method, path, field string
		status              int
		answer              string
	}{
		{"GET", "/health", "", 200, `{"status":"ok"}`},
		{"GET", "/health", "x-mock-status: 503", 503, string(ErrorBody(503))},
		{"GET", "/v1/models", "", 200, `{"object":"list","data":[{"id":"a","object":"model","created":1767225600,"owned_by":"weir-mock"},{"id":"b","object":"model","created":1767225600,"owned_by":"weir-mock"}]}`},
		{"GET", "/v1/models/b", "", 200, `{"id":"b","object":"model","created":1767225600,"owned_by":"weir-mock"}`},
		{"GET", "/v1/models/b", "x-mock-status: 204", 204, ""},
		{"GET", "/v1/models", "anthropic-version: 2023-06-01", 200, `{"data":[{"type":"model","id":"a","display_name":"a","created_at":"2026-01-01T00:00:00Z"},{"type":"model","id":"b","display_name":"b","created_at":"2026-01-01T00:00:00Z"}],"has_more":false,"first_id":"a","last_id":"b"}`},
		{"GET", "/v1/models/b", "anthropic-version: 2023-06-01", 200, `{"type":"model","id":"b","display_name":"b","created_at":"2026-01-01T00:00:00Z"}`},
		{"GET", "/nowhere", "", 404, `{"error":{"message":"Invalid URL (GET /nowhere)","type":"invalid_request_error","param":null,"code":"unknown_url"}}`},
		{"POST", "/health", "", 405, `{"error":{"message":"Not allowed to POST on /health.","type":"invalid_request_error","param":null,"code":"method_not_supported"}}`},
		{"GET", chatPath, "", 405, `{"error":{"message":"Not allowed to GET on /v1/chat/completions.","type":"invalid_request_error","param":null,"code":"method_not_supported"}}`},
		{"GET", "/health", "x-mock-nothing: 1", 400, `{"error":{"message":"mock: there is no setting \"nothing\"","type":"invalid_request_error","param":null,"code":"mock_setting"}}`},
	} {
		status, answer := call(t, s, tc.method, tc.path, "", tc.field)
		if status != tc.status || answer != tc.answer {
			t.Errorf("%s %s: got %d %s\nwant %d %s", tc.method, tc.path, status, answer, tc.status, tc.answer)
		}
	}
}

func TestHealth(t *testing.T) {
	s := Start(t, Config{})
	call(t, s, "PUT", "/mock/health?status=503", "")
	if status, answer := call(t, s, "GET", "/health", ""); status != 503 || answer != string(ErrorBody(503)) {
		t.Errorf("got %d %s, want 503", status, answer)
	}
	s.SetHealth(204)
	if status, answer := call(t, s, "GET", "/health", ""); status != 204 || answer != "" {
		t.Errorf("got %d %s, want 204", status, answer)
	}
}
