package serve

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/cmd/weir/internal/mock"
	"weir/internal/patience"
	"weir/internal/tlstest"
)

// secured is a gateway with TLS, and a client of HTTP/2 with one connection.
type secured struct {
	*instance
	id     *tlstest.Identity
	folder string // with the certificate's files
	cert   string
	client *http.Client
}

func serveTLS(t *testing.T, config string, args ...string) *secured {
	t.Helper()
	s := &secured{id: tlstest.New(t, "127.0.0.1"), folder: t.TempDir()}
	var key string
	s.cert, key = s.id.Files(t, s.folder)
	s.instance = serve(t, fmt.Sprintf("tls: {cert: %q, key: %q}\n", s.cert, key)+config, args...)
	transport := &http.Transport{TLSClientConfig: s.id.Client(), ForceAttemptHTTP2: true, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport}
	return s
}

// open makes a request and returns the response when its head is there.
func (s *secured) open(ctx context.Context, method, path, body string, fields ...string) *http.Response {
	s.t.Helper()
	res, err := s.client.Do(asked(s.t, method, s.url+path, body, fields...).WithContext(ctx))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { res.Body.Close() })
	if res.Proto != "HTTP/2.0" {
		s.t.Fatalf("got %s, want HTTP/2.0", res.Proto)
	}
	return res
}

// ask returns the whole response.
func (s *secured) ask(method, path, body string, fields ...string) (*http.Response, string) {
	s.t.Helper()
	res := s.open(s.t.Context(), method, path, body, fields...)
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: got %q, %v", method, path, text, err)
	}
	return res, string(text)
}

// begin asks for a stream of that model and returns it behind its first event,
// which is such as that of gated.
func (s *secured) begin(ctx context.Context, model string) io.Reader {
	s.t.Helper()
	res := s.open(ctx, "POST", chat, `{"model":"`+model+`","stream":true,"messages":[]}`, "x-request-id", model)
	got := make([]byte, len(firstEvent))
	if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != firstEvent {
		s.t.Fatalf("got %q, %v, want the first event", got, err)
	}
	return res.Body
}

// rest is what comes of a stream, to its end.
func rest(t *testing.T, body io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Errorf("got %q, %v, want the end of the stream", text, err)
	}
	return string(text)
}

// Clients that others wrote get an upstream's stream over HTTP/2 byte by byte,
// and so do those of HTTP/1.1 on the same port.
func TestHTTP2Clients(t *testing.T) {
	const tokens = 20
	up := mock.Start(t, mock.Config{Tokens: tokens, Pace: time.Millisecond})
	s := serveTLS(t, toMock(up))
	events := string(mock.StreamBody(mock.Body{Model: "m", Tokens: tokens}))
	request := filepath.Join(t.TempDir(), "request.json")
	if err := os.WriteFile(request, []byte(askStream), 0o600); err != nil {
		t.Fatal(err)
	}
	output := func(t *testing.T, command string, args ...string) string {
		t.Helper()
		if _, err := exec.LookPath(command); err != nil {
			t.Skip(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience.Limit)
		defer cancel()
		cmd := exec.CommandContext(ctx, command, args...)
		cmd.Stderr = new(strings.Builder)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %q: %v, %s", command, args, err, cmd.Stderr)
		}
		return string(out)
	}
	for version, flags := range map[string]string{"2": "--http2", "1.1": "--http1.1"} {
		t.Run("curl/"+version, func(t *testing.T) {
			got := output(t, "curl", flags, "-sSN", "--cacert", s.cert, "-w", "%{http_version}", "-d", "@"+request, s.url+chat)
			if got != events+version {
				t.Errorf("got %q, want the events %q by HTTP/%s", got, events, version)
			}
		})
	}
	t.Run("nghttp", func(t *testing.T) {
		if got := output(t, "nghttp", "--no-verify-peer", "-d", request, s.url+chat); got != events {
			t.Errorf("got %q, want the events %q", got, events)
		}
	})
	for name, flags := range map[string]string{"http2": "-m 10", "http1.1": "--h1"} {
		t.Run("h2load/"+name, func(t *testing.T) {
			got := output(t, "h2load", append(strings.Fields(flags), "-n", "400", "-c", "10", "-d", request, s.url+chat)...)
			if !strings.Contains(got, "requests: 400 total, 400 started, 400 done, 400 succeeded, 0 failed, 0 errored, 0 timeout\n") ||
				!strings.Contains(got, "status codes: 400 2xx") || !strings.Contains(got, fmt.Sprintf(" (%d) data", 400*len(events))) {
				t.Errorf("got %s, want 400 streams of %d bytes", got, len(events))
			}
		})
	}
	t.Run("node", func(t *testing.T) {
		if got := output(t, "node", "--input-type=module", "-e", nodeClient, s.url, chat, s.cert, askStream); got != events {
			t.Errorf("got %q, want the events %q", got, events)
		}
		wait(t, up, func(c mock.Counts) bool { return c.Left == 1 })
	})
	s.out.wait(t, 400, `"proto":"HTTP/2.0","status":200,"model":"m".*"stream":true`)
	s.out.wait(t, 1, `"proto":"HTTP/1.1","status":200,"model":"m".*"stream":true`)
	eventually(t, "no stream runs", func() bool {
		n, err := s.gauge("weir_streams")
		return err == nil && n == 0
	})
	s.client.CloseIdleConnections()
	s.end()
}

// nodeClient prints the events, after it has cancelled an endless stream at its
// first byte.
const nodeClient = `
import http2 from "node:http2"
import fs from "node:fs"
const [url, path, ca, body] = process.argv.slice(1)
const session = http2.connect(url, {ca: fs.readFileSync(ca)})
session.on("error", err => { throw err })
const ask = fields => session.request({":method": "POST", ":path": path, "content-type": "application/json", ...fields}).end(body)
await new Promise(resolve => {
	const endless = ask({"x-mock-tokens": "1000000", "x-mock-pace": "20ms"})
	endless.once("data", () => endless.close(http2.constants.NGHTTP2_CANCEL)).on("close", resolve)
})
ask({}).on("end", () => session.close()).pipe(process.stdout)
`

// G3: a stream that its client cancels ends its upstream's request at once; the
// other streams of the connection go on. Another target is tried as ever (G2).
func TestHTTP2Cancel(t *testing.T) {
	up, release := gated(t)
	endless := mock.Start(t, mock.Config{Tokens: 1 << 20, Pace: time.Millisecond})
	none := mock.Start(t, mock.Config{})
	if err := none.Refuse(); err != nil {
		t.Fatal(err)
	}
	s := serveTLS(t, fmt.Sprintf(`upstreams: {up: {url: %q}, endless: {url: %q}, none: {url: %q}}
models:
  running: {targets: [{upstream: up}]}
  endless: {targets: [{upstream: none}, {upstream: endless}], policy: round_robin, retries: 1}
`, up.URL, endless.URL(), none.URL()))
	running := s.begin(t.Context(), "running")
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		res := s.open(ctx, "POST", chat, `{"model":"endless","stream":true}`)
		if _, err := io.ReadFull(res.Body, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		cancel()
		wait(t, endless, func(c mock.Counts) bool { return c.Left == i+1 && c.Open == 0 })
	}
	s.out.wait(t, 20, `"proto":"HTTP/2.0","status":499,"model":"endless"`)
	if got, err := s.gauge(`weir_streams`); err != nil || got != 1 {
		t.Errorf("got %v streams, %v, want 1", got, err)
	}
	release()
	if got := rest(t, running); got != lastEvents {
		t.Errorf("got %q, want %q", got, lastEvents)
	}
	_, metrics := do(t, "GET", s.admin+"/metrics", "")
	if !regexp.MustCompile(`weir_cancel_latency_seconds_count\S* 20\b`).MatchString(metrics) || regexp.MustCompile(`failures_total\{[^}]*"endless".*\} [^0]`).MatchString(metrics) {
		t.Errorf("got %s, want 20 disconnects, for which nobody is to blame", metrics)
	}
	if !regexp.MustCompile(`failures_total\{[^}]*"none".*\} [^0]`).MatchString(metrics) {
		t.Errorf("got %s, want failures of the target that refuses connections", metrics)
	}
	s.client.CloseIdleConnections()
	s.end()
}

// G7: a stream that its client does not read pauses its upstream; the other
// streams of the connection go on, and when it is read nothing is missing.
func TestHTTP2BackPressure(t *testing.T) {
	const size, tokens = 1 << 16, 1 << 9 // 32 MiB, and net/http's client takes 4 MiB for a stream that is not read
	big := mock.Start(t, mock.Config{})
	small := mock.Start(t, mock.Config{Tokens: 100})
	s := serveTLS(t, fmt.Sprintf("upstreams: {big: {url: %q}, small: {url: %q}}\nmodels: {big: {targets: [{upstream: big}]}, small: {targets: [{upstream: small}]}}\n", big.URL(), small.URL()))
	fields := []string{"x-mock-tokens", fmt.Sprint(tokens), "x-mock-size", fmt.Sprint(size), "x-mock-pace", "0s"}
	slow := s.open(t.Context(), "POST", chat, `{"model":"big","stream":true}`, fields...)
	pending := func() float64 {
		n, err := s.gauge("weir_pending_bytes")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	eventually(t, "a backlog", func() bool { return pending() > 64<<10 })
	for range 20 {
		if res, got := s.ask("POST", chat, `{"model":"small","stream":true}`); res.StatusCode != 200 || !strings.HasSuffix(got, "[DONE]\n\n") {
			t.Errorf("got %d %q, want a whole stream", res.StatusCode, got)
		}
	}
	if c := big.Counts(); c.Ended > 0 {
		t.Errorf("got %+v of an upstream whose client does not read, want it to wait", c)
	}
	if n := pending(); n < 64<<10 || n > 2<<20 {
		t.Errorf("got %v pending bytes, want a backlog near the high mark", n)
	}
	if got, want := rest(t, slow.Body), string(mock.StreamBody(mock.Body{Model: "big", Tokens: tokens, Size: size})); got != want {
		t.Errorf("got %d bytes, want %d and no others", len(got), len(want))
	}
	s.client.CloseIdleConnections()
	s.end()
}

// G8: an upload that its upstream does not read holds up its client and nothing
// else, and arrives whole.
func TestHTTP2Upload(t *testing.T) {
	const size = 32 << 20
	begun, gate, sums := make(chan bool, 1), make(chan bool), make(chan [sha256.Size]byte, 1)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		<-gate
		sum := sha256.New()
		_, _ = io.Copy(sum, r.Body)
		sums <- [sha256.Size]byte(sum.Sum(nil))
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(up.Close)
	small := mock.Start(t, mock.Config{Tokens: 10})
	s := serveTLS(t, fmt.Sprintf("upstreams: {up: {url: %q}, small: {url: %q}}\nmodels: {m: {targets: [{upstream: up}]}, small: {targets: [{upstream: small}]}}\n", up.URL, small.URL()))
	body := `{"model":"m","messages":["` + strings.Repeat("x", size) + `"]}`
	status := make(chan int, 1)
	go func() {
		res, err := s.client.Do(asked(t, "POST", s.url+chat, body))
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}()
	<-begun
	for range 20 {
		if res, got := s.ask("POST", chat, `{"model":"small","stream":true}`); res.StatusCode != 200 || !strings.HasSuffix(got, "[DONE]\n\n") {
			t.Errorf("got %d %q, want a whole stream", res.StatusCode, got)
		}
	}
	if n, err := s.gauge("weir_body_bytes"); err != nil || n > 8<<20 {
		t.Errorf("got %v bytes of requests, %v, want few of those that wait", n, err)
	}
	close(gate)
	if got := <-sums; got != sha256.Sum256([]byte(body)) {
		t.Error("the body is not what was sent")
	}
	if got := <-status; got != 200 {
		t.Errorf("got %d, want 200", got)
	}
	s.client.CloseIdleConnections()
	s.end()
}

// A client that takes nothing for the stall time is cut, and its upstream
// closed; it is that stream that ends and not the connection.
func TestHTTP2Stall(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	s := serveTLS(t, toMock(up), "--stall", "1s")
	stalled := s.open(t.Context(), "POST", chat, askStream, "x-mock-tokens", "1000000", "x-mock-size", "65536", "x-mock-pace", "0s", "x-request-id", "stalled")
	wait(t, up, func(c mock.Counts) bool { return c.Left == 1 })
	s.out.wait(t, 1, `"id":"stalled".*"status":499.*"err":"weir: client stopped reading`)
	if text, err := io.ReadAll(stalled.Body); err == nil {
		t.Errorf("got %d bytes as if they were all", len(text))
	}
	if res, got := s.ask("GET", "/v1/models", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s, want the connection to go on", res.StatusCode, got)
	}
}

// G16: SIGTERM lets HTTP/2 streams come to their end, within drain, and nothing
// new begins; what the log reports counts them.
func TestHTTP2Drain(t *testing.T) {
	up, release := gated(t)
	config := "models: {m: {targets: [{upstream: up}]}}\nupstreams: {up: {url: '" + up.URL + "'}}\n"
	s := serveTLS(t, config)
	running := s.begin(t.Context(), "m")
	s.signal(syscall.SIGTERM)
	s.log.wait(t, 1, `weir serve: draining`)
	eventually(t, "nothing new is served", func() bool {
		res, err := s.client.Do(asked(t, "GET", s.url+"/v1/models", ""))
		if err != nil {
			return true // GOAWAY was there, and no new connection is
		}
		defer res.Body.Close()
		return res.StatusCode == 503
	})
	release()
	if got := rest(t, running); got != lastEvents {
		t.Errorf("got %q, want %q", got, lastEvents)
	}
	if code := s.code(); code != 0 {
		t.Errorf("got exit code %d, want 0; log:\n%s", code, s.log)
	}
	s.log.wait(t, 1, `"msg":"weir serve: drained","drained":[1-9]\d*,"cut":0`)
	s.out.wait(t, 1, `"id":"m".*"proto":"HTTP/2.0","status":200`)

	cut, _ := gated(t)
	s = serveTLS(t, strings.ReplaceAll(config, up.URL, cut.URL)+"drain: 1s\n")
	running = s.begin(t.Context(), "m")
	s.signal(syscall.SIGTERM)
	if text, err := io.ReadAll(running); err == nil || len(text) > 0 {
		t.Errorf("got %q, %v, want a stream that is cut", text, err)
	}
	if code := s.code(); code != 0 {
		t.Errorf("got exit code %d, want 0; log:\n%s", code, s.log)
	}
	s.log.wait(t, 1, `"msg":"weir serve: drained","drained":0,"cut":1`)
	s.out.wait(t, 1, `"id":"m".*"proto":"HTTP/2.0","status":200.*"err":"weir: server closed"`)
}

// A certificate is replaced while HTTP/2 streams run: they go on, and new
// connections get it.
func TestHTTP2Certificate(t *testing.T) {
	up, release := gated(t)
	s := serveTLS(t, toGated(up))
	running := s.begin(t.Context(), "m")
	next := tlstest.New(t, "127.0.0.1")
	next.Files(t, s.folder)
	eventually(t, "the new certificate", func() bool {
		c, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Equal(next.Certificate.Leaf) && c.ConnectionState().NegotiatedProtocol == "h2"
	})
	if res, got := s.ask("GET", "/v1/models", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s by the old connection, want 200", res.StatusCode, got)
	}
	release()
	if got := rest(t, running); got != lastEvents {
		t.Errorf("got %q, want %q", got, lastEvents)
	}
}

// Limits, the names of the server, pages of others and the gateway's own errors
// are over HTTP/2 what they are over HTTP/1.1.
func TestHTTP2Limits(t *testing.T) {
	up, release := gated(t)
	s := serveTLS(t, "limits: {body: 1KiB, streams: 3}\ncors: {origins: ['"+page+"']}\n"+toGated(up))
	plain := &http.Client{Transport: &http.Transport{TLSClientConfig: s.id.Client(), DisableKeepAlives: true, DisableCompression: true}}
	running := []io.Reader{s.begin(t.Context(), "m"), s.begin(t.Context(), "m")}
	for _, tt := range []struct {
		name, method, path, body string
		fields                   []string
		status                   int
	}{
		{"too large", "POST", chat, `{"model":"m","stream":true,"messages":["` + strings.Repeat("x", 2000) + `"]}`, nil, 413},
		{"no JSON", "POST", chat, "x", nil, 400},
		{"no model", "POST", chat, `{"model":"n"}`, nil, 404},
		{"no path", "GET", "/v2", "", nil, 404},
		{"another method", "DELETE", chat, "", nil, 405},
		{"a page", "GET", "/v1/models", "", []string{"Origin", page}, 200},
		{"another page", "GET", "/v1/models", "", []string{"Origin", "https://evil.example"}, 403},
		{"a preflight", "OPTIONS", chat, "", []string{"Origin", page, "Access-Control-Request-Method", "POST"}, 204},
		{"another name", "GET", "/v1/models", "", []string{"Host", "evil.example"}, 403},
		{"models", "GET", "/v1/models", "", nil, 200},
		{"health", "GET", "/health", "", nil, 200},
		{"too many streams", "POST", chat, askStream, nil, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "too many streams" {
				running = append(running, s.begin(s.t.Context(), "m"))
			}
			get := func(c *http.Client) (string, string) {
				req := asked(t, tt.method, s.url+tt.path, tt.body, append(tt.fields, "x-request-id", "a")...)
				if host := req.Header.Get("Host"); host != "" {
					req.Host = host
				}
				res, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				text, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				if res.StatusCode != tt.status {
					t.Errorf("%s: got %d %s, want %d", res.Proto, res.StatusCode, text, tt.status)
				}
				for _, name := range []string{"Date", "Connection", "Server-Timing"} {
					res.Header.Del(name)
				}
				head, err := json.Marshal(res.Header)
				if err != nil {
					t.Fatal(err)
				}
				return res.Proto, fmt.Sprintf("%s %s", head, text)
			}
			proto1, first := get(plain)
			proto2, second := get(s.client)
			if first != second || proto1 != "HTTP/1.1" || proto2 != "HTTP/2.0" {
				t.Errorf("got %s %s, want what %s gets: %s", proto2, second, proto1, first)
			}
		})
	}
	release()
	for _, body := range running {
		if got := rest(t, body); got != lastEvents {
			t.Errorf("got %q, want %q", got, lastEvents)
		}
	}
}
