package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/cmd/weir/internal/admin"
	"weir/cmd/weir/internal/babble"
	"weir/cmd/weir/internal/front"
)

// serve starts the demo on a free port, with the model that it always has, and
// returns its base URL. change may be nil.
func serve(t *testing.T, p Pace, change func(*weir.Server)) (*weir.Server, string) {
	t.Helper()
	shared.pace.Store(&p)
	srv := New(new(admin.Probes))
	srv.Timeouts.Drain, srv.Timeouts.Mercy = 10*time.Second, time.Second
	if change != nil {
		change(srv)
	}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if report, err := srv.Shutdown(t.Context()); err != nil || report.Cut != 0 {
			t.Errorf("shutdown: got %+v, %v, want nothing cut", report, err)
		}
		if st := srv.Stats(); st.StreamsActive != 0 {
			t.Errorf("got %d streams at the end, want 0", st.StreamsActive)
		}
	})
	return srv, "http://" + srv.Addrs()[0].String()
}

type response struct {
	*http.Response
	body string
}

func do(t *testing.T, method, url, body string, fields ...string) response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{res, string(b)}
}

// chat is a request's body with more fields before its end.
func chat(fields string) string {
	return `{"model":"weir-demo","messages":[{"role":"user","content":"What is backpressure?"}]` + fields + `}`
}

// spoken is what the model itself says to the request of chat.
func spoken(o babble.Options) (text string, tokens int, reason string) {
	o.Prompt = "user: What is backpressure?\n"
	s := shared.model().Start(o)
	for token, ok := s.Next(); ok; token, ok = s.Next() {
		text += token
	}
	return text, s.Tokens(), string(s.Reason())
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

type chunk struct {
	ID, Object, Model string
	Choices           []struct {
		Delta        struct{ Role, Content string }
		FinishReason string `json:"finish_reason"`
	}
	Usage *usage
}

// streamed takes a stream apart and checks what holds for each.
func streamed(t *testing.T, body string) (text, finish string, u *usage) {
	t.Helper()
	data, ok := strings.CutSuffix(body, "data: [DONE]\n\n")
	if !ok {
		t.Fatalf("got the end %q, want [DONE]", body[max(0, len(body)-80):])
	}
	var id string
	for i, event := range strings.Split(strings.TrimSuffix(data, "\n\n"), "\n\n") {
		var c chunk
		if err := json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &c); err != nil {
			t.Fatalf("event %q: %v", event, err)
		}
		if i == 0 {
			if id = c.ID; len(c.Choices) != 1 || c.Choices[0].Delta.Role != "assistant" {
				t.Errorf("got first event %s, want the role", event)
			}
		}
		if c.ID != id || c.Object != "chat.completion.chunk" || c.Model != ModelName {
			t.Errorf("event %d: got %s, want the id %s and the model", i, event, id)
		}
		for _, choice := range c.Choices {
			text += choice.Delta.Content
			finish += choice.FinishReason
		}
		u = c.Usage
	}
	return text, finish, u
}

func TestChat(t *testing.T) {
	_, base := serve(t, Pace{}, nil)
	seed, cold := int64(11), 0.0
	tests := []struct {
		name, fields string
		options      babble.Options
	}{
		{"to its own end", `,"seed":11`, babble.Options{Seed: &seed}},
		{"max_tokens", `,"seed":11,"max_tokens":9`, babble.Options{Seed: &seed, MaxTokens: 9}},
		{"max_completion_tokens", `,"seed":11,"max_completion_tokens":1`, babble.Options{Seed: &seed, MaxTokens: 1}},
		{"stop", `,"seed":11,"stop":["the","."]`, babble.Options{Seed: &seed, Stop: []string{"the", "."}}},
		{"temperature", `,"seed":11,"temperature":0`, babble.Options{Seed: &seed, Temperature: &cold}},
		{"ignore_eos", `,"seed":11,"ignore_eos":true,"max_tokens":500`, babble.Options{Seed: &seed, IgnoreEnd: true, MaxTokens: 500}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, tokens, reason := spoken(tt.options)
			prompt := shared.model().Count("user: What is backpressure?\n")
			wantUsage := usage{prompt, tokens, prompt + tokens}

			res := do(t, "POST", base+chatPath, chat(tt.fields+`,"stream":true`))
			got, finish, u := streamed(t, res.body)
			if res.StatusCode != 200 || got != text || finish != reason || u != nil {
				t.Errorf("stream: got %d %q (%s) usage %v, want 200 %q (%s) and none", res.StatusCode, got, finish, u, text, reason)
			}
			for field, want := range map[string]string{"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"} {
				if got := res.Header.Get(field); got != want {
					t.Errorf("stream: got %s %q, want %q", field, got, want)
				}
			}

			res = do(t, "POST", base+chatPath, chat(tt.fields+`,"stream":true,"stream_options":{"include_usage":true}`))
			if got, finish, u = streamed(t, res.body); got != text || finish != reason || u == nil || *u != wantUsage {
				t.Errorf("stream with usage: got %q (%s) usage %v, want %q (%s) and %v", got, finish, u, text, reason, wantUsage)
			}

			res = do(t, "POST", base+chatPath, chat(tt.fields))
			var whole struct {
				Object  string
				Choices []struct {
					Message      struct{ Role, Content string }
					FinishReason string `json:"finish_reason"`
				}
				Usage usage
			}
			if err := json.Unmarshal([]byte(res.body), &whole); err != nil || len(whole.Choices) != 1 {
				t.Fatalf("whole: got %s (%v)", res.body, err)
			}
			c := whole.Choices[0]
			if whole.Object != "chat.completion" || c.Message.Role != "assistant" || c.Message.Content != text || c.FinishReason != reason || whole.Usage != wantUsage {
				t.Errorf("whole: got %s, want %q (%s) %v", res.body, text, reason, wantUsage)
			}
			if got := res.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("whole: got Content-Type %q", got)
			}
		})
	}
}

func TestNoSeedIsAnotherText(t *testing.T) {
	_, base := serve(t, Pace{}, nil)
	if a, b := do(t, "POST", base+chatPath, chat("")), do(t, "POST", base+chatPath, chat("")); a.body == b.body {
		t.Errorf("got %s twice", a.body)
	}
}

func TestModels(t *testing.T) {
	_, base := serve(t, Pace{}, nil)
	list := do(t, "GET", base+"/v1/models", "")
	var models struct {
		Object string
		Data   []json.RawMessage
	}
	if err := json.Unmarshal([]byte(list.body), &models); err != nil || models.Object != "list" || len(models.Data) != 1 {
		t.Fatalf("got %s (%v), want a list of one", list.body, err)
	}
	one := do(t, "GET", base+"/v1/models/weir-demo", "")
	if strings.TrimSpace(one.body) != string(models.Data[0]) || !strings.Contains(one.body, `"id":"weir-demo","object":"model"`) {
		t.Errorf("got %s, want %s", one.body, models.Data[0])
	}
	for path, want := range map[string]string{"/v1/models": `"has_more":false`, "/v1/models/weir-demo": `"display_name":"weir-demo"`, "/v1/models/gpt-9": `{"type":"error","error":{"type":"not_found_error"`} {
		if got := do(t, "GET", base+path, "", "anthropic-version", "2023-06-01"); !strings.Contains(got.body, want) {
			t.Errorf("%s in Anthropic's dialect: got %s, want %s", path, got.body, want)
		}
	}
	head := do(t, "HEAD", base+"/v1/models", "")
	if head.StatusCode != 200 || head.body != "" || head.ContentLength != int64(len(list.body)) {
		t.Errorf("HEAD: got %d, %d bytes announced, want 200 and %d", head.StatusCode, head.ContentLength, len(list.body))
	}
}

// G17: every refusal has the dialect's shape.
func TestErrors(t *testing.T) {
	_, base := serve(t, Pace{}, nil)
	tests := []struct {
		method, path, body string
		status             int
		allow              string
		parts              []string
	}{
		{"POST", chatPath, `{"model":"gpt-9","messages":[{"role":"user","content":"x"}]}`, 404, "", []string{`"code":"model_not_found"`, "gpt-9"}},
		{"POST", chatPath, `{"model":"weir-demo"`, 400, "", []string{"JSON"}},
		{"POST", chatPath, ``, 400, "", []string{"JSON"}},
		{"POST", chatPath, chat(`,"n":2`), 400, "", []string{`"param":"n"`}},
		{"GET", chatPath, "", 405, "POST", []string{`"code":"method_not_supported"`, "GET"}},
		{"PUT", chatPath, "{}", 405, "POST", []string{"method_not_supported"}},
		{"GET", "/v1/models/a%0d%0aX-Injected:1", "", 404, "", []string{`"code":"model_not_found"`}},
		{"BREW", "/nothing", "", 501, "", []string{"The method BREW is not implemented."}},
		{"GET", "/%00", "", 400, "", []string{"NUL"}},
		{"DELETE", "/v1/models", "", 405, "GET, HEAD", []string{"method_not_supported"}},
		{"DELETE", "/v1/models/weir-demo", "", 405, "GET, HEAD", []string{"method_not_supported"}},
		{"POST", "/", "x", 405, "GET, HEAD", []string{"method_not_supported"}},
		{"GET", "/v1/models/gpt-9", "", 404, "", []string{"`gpt-9`", "model_not_found"}},
		{"GET", "/v1/models/org%2Fgpt%209", "", 404, "", []string{"`org/gpt 9`", "model_not_found"}},
		{"GET", "/v1/models/org/gpt", "", 404, "", []string{"`org/gpt`", "model_not_found"}},
		{"GET", "/v2", "", 404, "", []string{"Invalid URL (GET /v2)", "unknown_url"}},
		{"POST", "/v1/embeddings", "{}", 404, "", []string{"Invalid URL (POST /v1/embeddings)", "unknown_url"}},
	}
	for _, tt := range tests {
		res := do(t, tt.method, base+tt.path, tt.body)
		wantError(t, tt.method+" "+tt.path, res, tt.status, tt.parts...)
		if got := res.Header.Get("Allow"); got != tt.allow {
			t.Errorf("%s %s: got Allow %q, want %q", tt.method, tt.path, got, tt.allow)
		}
	}
}

func wantError(t *testing.T, what string, res response, status int, parts ...string) {
	t.Helper()
	var body struct{ Error map[string]any }
	if err := json.Unmarshal([]byte(res.body), &body); err != nil || len(body.Error) != 4 {
		t.Errorf("%s: got %s (%v), want an error object", what, res.body, err)
	}
	if res.StatusCode != status || res.Header.Get("Content-Type") != "application/json" || !containsAll(res.body, parts) {
		t.Errorf("%s: got %d %s %s, want %d and %q", what, res.StatusCode, res.Header.Get("Content-Type"), res.body, status, parts)
	}
	if res.Header.Get(front.RequestID) == "" {
		t.Errorf("%s: got no request id", what)
	}
}

// G8, G14: a body that is too large is refused before it is sent.
func TestBodyTooLarge(t *testing.T) {
	_, base := serve(t, Pace{}, nil)
	res := do(t, "POST", base+chatPath, strings.Repeat("x", bodyLimit+1), "Expect", "100-continue", front.RequestID, "mine")
	wantError(t, "413", res, 413, `"code":"request_too_large"`, "8388608")
	if got := res.Header.Get(front.RequestID); got != "mine" {
		t.Errorf("got the request id %q, want the client's own", got)
	}
}

// What the server itself refuses has the shape, too.
func TestErrorsBelowTheRoutes(t *testing.T) {
	_, base := serve(t, Pace{}, func(s *weir.Server) { s.Timeouts.Head = 100 * time.Millisecond })
	tests := []struct {
		name, bytes string
		status      int
		parts       []string
	}{
		{"no Host", "GET / HTTP/1.1\r\n\r\n", 400, []string{"could not be read", "invalid_request_error"}},
		{"two framings", "POST " + chatPath + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", 400, []string{"Content-Length"}},
		{"a broken chunk", "POST " + chatPath + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, []string{"chunked"}},
		{"a long field", "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 17<<10) + "\r\n\r\n", 431, []string{"http1"}},
		{"a WebSocket", "GET /v1/responses HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 426, []string{"upgrade_not_supported"}},
		{"half a head", "GET / HTTP/1.1\r\nHost: localhost\r\n", 408, []string{"too long"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, base)
			if _, err := io.WriteString(c, tt.bytes); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.Header.Get(front.RequestID) == "" {
				res.Header.Set(front.RequestID, "none: the head was not read")
			}
			wantError(t, tt.name, response{res, string(body)}, tt.status, tt.parts...)
		})
	}
}

func dial(t *testing.T, base string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// G14
func TestRequestID(t *testing.T) {
	_, base := serve(t, Pace{}, nil)
	for _, path := range []string{"/v1/models", "/nothing"} {
		if got := do(t, "GET", base+path, "", front.RequestID, "mine-1").Header.Get(front.RequestID); got != "mine-1" {
			t.Errorf("%s: got %q, want the client's own", path, got)
		}
	}
	for _, fields := range []string{"", `,"stream":true`} {
		if got := do(t, "POST", base+chatPath, chat(fields), front.RequestID, "mine-2").Header.Get(front.RequestID); got != "mine-2" {
			t.Errorf("chat%s: got %q, want the client's own", fields, got)
		}
	}
	seen := map[string]bool{}
	for _, id := range []string{"", "two words", "naïve", strings.Repeat("x", 129)} {
		got := do(t, "GET", base+"/v1/models", "", front.RequestID, id).Header.Get(front.RequestID)
		if len(got) != 36 || !strings.HasPrefix(got, "req_") || seen[got] {
			t.Errorf("%q: got %q, want a new one", id, got)
		}
		seen[got] = true
	}
}

// Above the limit on streams the answer is a 503 that says when to come back.
func TestBusy(t *testing.T) {
	_, base := serve(t, Pace{}, func(s *weir.Server) { s.Limits.Streams = 1 })
	first := openStream(t, base, endless+`true}`)
	for _, fields := range []string{"", `,"stream":true`} {
		res := do(t, "POST", base+chatPath, chat(fields), front.RequestID, "mine")
		wantError(t, "busy", res, 503, `"type":"server_error"`, "limit")
		if got := res.Header.Get("Retry-After"); got == "" || res.Header.Get(front.RequestID) != "mine" {
			t.Errorf("got Retry-After %q and id %q, want both", got, res.Header.Get(front.RequestID))
		}
	}
	first.cancel()
}

// stream is an answer that is being read.
type stream struct {
	lines  *bufio.Reader
	cancel context.CancelFunc
}

func openStream(t *testing.T, base, body string) stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "POST", base+chatPath, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return stream{bufio.NewReader(res.Body), cancel}
}

// abandonable serves a handler that tells when it has returned.
func abandonable(t *testing.T, p Pace) (srv *weir.Server, base string, returned <-chan struct{}) {
	r := make(chan struct{}, 1)
	srv, base = serve(t, p, func(s *weir.Server) {
		mux := new(weir.Mux)
		mux.Handle("POST "+chatPath, weir.Native(HandlerName), func(next weir.Handler) weir.Handler {
			return weir.HandlerFunc(func(w *weir.Response, q *weir.Request) {
				defer func() { r <- struct{}{} }()
				next.Serve(w, q)
			})
		})
		s.Handler = mux
	})
	return srv, base, r
}

// G3: a client that leaves ends its handler, wherever it is.
func TestClientLeaves(t *testing.T) {
	post := func(body string) string {
		return "POST " + chatPath + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	}
	tests := []struct {
		name string
		pace Pace
		body string
		wait func(t *testing.T, srv *weir.Server, c net.Conn)
	}{
		{"before the first token", Pace{First: time.Hour}, endless + `true}`, untilActive},
		{"a whole answer", Pace{Rate: 0.001}, endless + `false}`, untilActive},
		{"between two tokens", Pace{Rate: 0.001}, endless + `true}`, untilToken},
		{"while it reads", Pace{}, endless + `true}`, untilToken},
		{"far behind", Pace{}, endless + `true}`, untilBehind},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv, base, returned := abandonable(t, tt.pace)
			c := dial(t, base)
			if _, err := io.WriteString(c, post(tt.body)); err != nil {
				t.Fatal(err)
			}
			tt.wait(t, srv, c)
			c.Close()
			<-returned
			for srv.Stats().StreamsActive != 0 && t.Context().Err() == nil { // counted when the handler has returned
				runtime.Gosched()
			}
			if total := srv.Stats().StreamsTotal; total != 1 {
				t.Errorf("got %d streams, want 1", total)
			}
		})
	}
}

func untilActive(t *testing.T, srv *weir.Server, _ net.Conn) {
	for srv.Stats().StreamsActive == 0 && t.Context().Err() == nil {
		runtime.Gosched()
	}
}

func untilToken(t *testing.T, _ *weir.Server, c net.Conn) {
	var got []byte
	for !bytes.Contains(got, []byte(`"content":"`)) {
		part := make([]byte, 4096)
		n, err := c.Read(part)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, part[:n]...)
	}
}

// untilBehind waits for more output than the low mark. The handler waits from
// the high mark on, but the kernel may still take some of that: what is pending
// then stays above the low mark, and nowhere else.
func untilBehind(t *testing.T, srv *weir.Server, _ net.Conn) {
	for srv.Stats().PendingBytes <= int64(weir.DefaultLimits().LowMark) && t.Context().Err() == nil {
		runtime.Gosched()
	}
}
