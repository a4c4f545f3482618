package relay

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/known"
	"weir/cmd/weir/internal/target"
	"weir/cmd/weir/internal/upstream"
	"weir/internal/patience"
)

// each runs a test with an upstream over http, https and HTTP/2.
func each(t *testing.T, test func(t *testing.T, gateway func(h http.Handler) string)) {
	for _, over := range []string{"http", "https", "h2"} {
		t.Run(over, func(t *testing.T) {
			test(t, func(h http.Handler) string { return gateway(t, over, h) })
		})
	}
}

// gateway serves a gateway in front of the handler and returns its URL.
func gateway(t *testing.T, over string, h http.Handler) string {
	t.Helper()
	return gatewayTo(t, over, h, upstream.Config{})
}

// gatewayTo is gateway with more of the upstream's configuration.
func gatewayTo(t *testing.T, over string, h http.Handler, cfg upstream.Config) string {
	t.Helper()
	return "http://" + serveAt(t, "127.0.0.1:0", gatewayOf(t, over, h, cfg)).String() + "/v1/chat/completions"
}

// gatewayOf is a gateway in front of the handler.
func gatewayOf(t *testing.T, over string, h http.Handler, cfg upstream.Config) *Gateway {
	t.Helper()
	up := httptest.NewUnstartedServer(h)
	cfg.Name = "up"
	switch over {
	case "http":
		up.Start()
	default:
		up.EnableHTTP2, cfg.HTTP2 = over == "h2", over == "h2"
		up.StartTLS()
		cfg.Roots = up.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	}
	t.Cleanup(up.Close)
	cfg.Endpoint = at(up.URL)
	u := upstream.New(cfg)
	g := newGateway(u)
	g.Models["short"] = renamed(g.Models["m"], "s")
	g.Models["long"] = renamed(g.Models["m"], strings.Repeat("l", 400))
	return g
}

// serveAt serves a gateway and returns its address.
func serveAt(t *testing.T, addr string, g *Gateway) net.Addr {
	t.Helper()
	mux := new(weir.Mux)
	mux.HandleLoop("POST /v1/chat/completions", g.At(chat))
	srv := &weir.Server{Handler: mux, Loops: 2}
	if err := srv.Start(addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
		defer cancel()
		if _, err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return srv.Addrs()[0]
}

// newGateway serves the model m from the upstreams.
func newGateway(ups ...*upstream.Upstream) *Gateway {
	m := &Model{Name: "m", Retries: 2, RetryOn: []Statuses{{429, 429}, {500, 599}}, Hold: Hold{Events: 1, Wait: 2 * time.Second}}
	m.Policy, _ = target.New("round_robin", len(ups), nil)
	for _, u := range ups {
		u.Timeouts = upstream.Timeouts{Connect: 2 * time.Second, FirstEvent: 10 * time.Second, Idle: 10 * time.Second, Whole: 10 * time.Second}
		m.Targets = append(m.Targets, Target{Upstream: u, ID: target.ID(u.Name, "")})
	}
	m.Plan(nil)
	return &Gateway{
		Models: map[string]*Model{"m": m}, MaxBody: 64 << 20, MaxReplay: 4 << 20, MaxEvent: 4 << 20,
		Observer: ignore{},
	}
}

// renamed is a model whose upstreams call it otherwise.
func renamed(m *Model, name string) *Model {
	other := *m
	other.Targets = slices.Clone(m.Targets)
	for i := range other.Targets {
		other.Targets[i].Model = name
	}
	other.Plan(nil)
	return &other
}

type ignore struct{}

func (ignore) Began(*weir.Request) bool                    { return true }
func (ignore) Asked(time.Duration)                         {}
func (ignore) Relayed(time.Duration)                       {}
func (ignore) Failed(Attempt)                              {}
func (ignore) Responded(*upstream.Upstream, time.Duration) {}
func (ignore) HungUp(time.Duration)                        {}
func (ignore) Ended(*Record)                               {}
func (ignore) Short(error)                                 {}

const ask = `{"model":"m","messages":[],"stream":true}`

func post(t *testing.T, url, body string) (*http.Response, string, error) {
	t.Helper()
	res, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}

// G1, G2, G13.
func TestStream(t *testing.T) { each(t, testStream) }

func testStream(t *testing.T, gateway func(http.Handler) string) {
	const events = "data: {\"a\":1}\n\ndata: {\"b\":2}\r\n\r\n: x\n\ndata:[DONE]\n\n"
	url := gateway(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if string(b) != ask || r.Header.Get("Authorization") != "" || r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("upstream got %q with %v", b, r.Header)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Request-Id", "7")
		for i := range events {
			io.WriteString(w, events[i:i+1])
			w.(http.Flusher).Flush()
		}
	}))
	res, got, err := post(t, url, ask)
	if err != nil || got != events {
		t.Fatalf("got %q, %v; want %q", got, err, events)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform",
		"X-Accel-Buffering": "no", "X-Request-Id": "7",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// G1 for an answer that is no stream; G8 for bodies on both sides of the limit
// for keeping.
func TestUnary(t *testing.T) { each(t, testUnary) }

func testUnary(t *testing.T, gateway func(http.Handler) string) {
	url := gateway(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Write(b)
	}))
	for _, size := range []int{0, 1000, gatherLimit - 100, gatherLimit, 5 << 20} {
		body := `{"model":"m","stream":false,"pad":"` + strings.Repeat("x", size) + `"}`
		for range 2 {
			res, got, err := post(t, url, body)
			if err != nil || got != body || res.ContentLength != int64(len(body)) {
				t.Fatalf("%d: got %d bytes (%d announced), %v", len(body), len(got), res.ContentLength, err)
			}
		}
		req, _ := http.NewRequest("POST", url, io.MultiReader(strings.NewReader(body))) // chunked
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !bytes.Equal(got, []byte(body)) {
			t.Fatalf("%d in chunks: got %d bytes, %v", len(body), len(got), err)
		}
	}
}

// G4: a stream that broke does not look finished.
func TestBroken(t *testing.T) { each(t, testBroken) }

func testBroken(t *testing.T, gateway func(http.Handler) string) {
	for _, tt := range []struct{ name, sent, want string }{
		{"clean end without [DONE]", "data: {}\n\n", "data: {}\n\ndata: {\"error\":"},
		{"inside an event", "data: {}\n\ndata: {", "data: {}\n\ndata: {\n\ndata: {\"error\":"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := gateway(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				io.WriteString(w, tt.sent)
			}))
			res, got, err := post(t, url, ask)
			if err != nil || res.StatusCode != 200 || !strings.HasPrefix(got, tt.want) || strings.Contains(got, "[DONE]") {
				t.Errorf("got %d %q, %v; want %q…", res.StatusCode, got, err, tt.want)
			}
		})
	}
}

// G3: the upstream learns at once that the client has left, at every stage.
func TestClientLeaves(t *testing.T) { each(t, testClientLeaves) }

func testClientLeaves(t *testing.T, gateway func(http.Handler) string) {
	for _, stage := range []string{"head", "event", "mid"} {
		t.Run(stage, func(t *testing.T) {
			arrived, left := make(chan struct{}), make(chan struct{})
			url := gateway(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.ReadAll(r.Body)
				w.Header().Set("Content-Type", "text/event-stream")
				switch stage {
				case "event":
					w.(http.Flusher).Flush()
				case "mid":
					io.WriteString(w, "data: 1\n\n")
					w.(http.Flusher).Flush()
				}
				close(arrived)
				<-r.Context().Done()
				close(left)
			}))
			ctx, cancel := context.WithCancel(context.Background())
			req, _ := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(ask))
			go func() {
				res, err := http.DefaultClient.Do(req)
				if err == nil {
					io.ReadAll(res.Body)
					res.Body.Close()
				}
			}()
			<-arrived
			cancel()
			select {
			case <-left:
			case <-time.After(patience.Limit):
				t.Error("the upstream was not told")
			}
		})
	}
}

func TestRefused(t *testing.T) { each(t, testRefused) }

func testRefused(t *testing.T, gateway func(http.Handler) string) {
	url := gateway(http.NotFoundHandler())
	for _, tt := range []struct {
		body   string
		status int
		want   string
	}{
		{"", 400, "JSON"},
		{"[]", 400, "JSON"},
		{`{"model":"m"`, 400, "JSON"},
		{`{"stream":true}`, 400, "model"},
		{`{"model":"m"}`, 404, "404 page not found"},
	} {
		res, got, err := post(t, url, tt.body)
		if err != nil || res.StatusCode != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%q: got %d %q, %v; want %d … %s", tt.body, res.StatusCode, got, err, tt.status, tt.want)
		}
	}
}

// chat is the endpoint that most tests are about.
var chat = endpointOf("/v1/chat/completions")

// endpointOf returns the endpoint with that path.
func endpointOf(path string) *dialect.Endpoint {
	for _, d := range known.Dialects {
		for _, e := range d.Endpoints() {
			if e.Path == path {
				return e
			}
		}
	}
	panic("there is no endpoint " + path)
}
