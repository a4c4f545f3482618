package serve

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"weir/cmd/weir/internal/mock"
)

// ups is a configuration with model m in front of these addresses, and what is
// said of each upstream besides.
func ups(besides string, urls ...string) string {
	var all, targets []string
	for i, url := range urls {
		all = append(all, fmt.Sprintf("u%d: {url: %q%s}", i, url, besides))
		targets = append(targets, fmt.Sprintf("{upstream: u%d}", i))
	}
	return fmt.Sprintf("upstreams: {%s}\nmodels: {m: {targets: [%s]}}\n", strings.Join(all, ", "), strings.Join(targets, ", "))
}

// mocks starts n upstreams and returns their URLs.
func mocks(t *testing.T, n int) (all []*mock.Server, urls []string) {
	t.Helper()
	for range n {
		m := mock.Start(t, mock.Config{Tokens: 3})
		all, urls = append(all, m), append(urls, m.URL())
	}
	return all, urls
}

// ask makes a request and returns its status, 0 if there is no response.
func (g *instance) ask(t *testing.T, fields ...string) (status, attempts int) {
	res, err := client.Do(asked(t, "POST", g.url+chat, askWhole, fields...))
	if err != nil {
		return 0, 0
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0, 0
	}
	_, _ = fmt.Sscan(res.Header.Get("X-Weir-Attempts"), &attempts)
	return res.StatusCode, attempts
}

// Blame needs evidence: 30 prompts that every upstream answers with 500, beside
// 10 clients whose prompts are good. No good request fails, and no breaker opens.
func TestPoison(t *testing.T) {
	_, urls := mocks(t, 3)
	g := serve(t, ups("", urls...))
	var poison, good sync.WaitGroup
	var bad, asked, failed atomic.Int64
	done := make(chan struct{})
	for range 10 {
		good.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					if n >= 20 {
						return
					}
				default:
				}
				asked.Add(1)
				if status, _ := g.ask(t); status != 200 {
					failed.Add(1)
				}
			}
		})
	}
	for range 30 {
		poison.Go(func() {
			if status, _ := g.ask(t, "x-mock-status", "500"); status == 500 {
				bad.Add(1)
			}
		})
	}
	poison.Wait()
	close(done)
	good.Wait()
	if failed.Load() > 0 || bad.Load() != 30 {
		t.Errorf("got %d of %d good requests that failed and %d of 30 refusals passed on, want none and all", failed.Load(), asked.Load(), bad.Load())
	}
	g.end()
	if log := g.log.String(); strings.Contains(log, "breaker has changed") {
		t.Errorf("got a breaker that has changed:\n%s", log)
	}
}

// An upstream that is really dead is left alone after three requests, however
// it is dead, and nobody notices; the change is logged.
func TestDeadUpstream(t *testing.T) {
	_, urls := mocks(t, 2)
	for _, tt := range []struct{ name, url, reason string }{
		{"nobody listens", "http://" + mock.Refused(t), "unreachable"},
		{"nobody accepts", "http://" + mock.Silent(t), "connect_timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := ups(", breaker: {open: 1h}", append(urls, tt.url)...)
			dead := fmt.Sprintf("{url: %q", tt.url)
			g := serve(t, strings.Replace(config, dead, dead+", timeouts: {connect: 100ms}", 1))
			attempts := 0
			for range 40 {
				status, n := g.ask(t)
				if status != 200 {
					t.Errorf("got %d, want 200", status)
				}
				attempts += n
			}
			if attempts != 43 {
				t.Errorf("got %d attempts for 40 requests, want 3 that the dead upstream failed", attempts)
			}
			g.log.wait(t, 1, `"level":"WARN","msg":"upstream breaker has changed","upstream":"u2","state":"open","reason":"3 failures in a row and no response, the last one: `+tt.reason+`","for":"1h0m0s"`)
			g.end()
		})
	}
}

// An upstream that fails with what others answer well is left alone, too.
func TestFailingUpstream(t *testing.T) {
	all, urls := mocks(t, 3)
	if err := all[1].SetRules(mock.Rule{Set: mock.Set{"status": "500"}}); err != nil {
		t.Fatal(err)
	}
	g := serve(t, ups(", breaker: {open: 1h}", urls...))
	for range 60 {
		if status, _ := g.ask(t); status != 200 {
			t.Errorf("got %d, want 200", status)
		}
	}
	if n := all[1].Counts().Requests; n != 10 {
		t.Errorf("the upstream that fails saw %d requests, want the 10 that its breaker needs", n)
	}
	g.log.wait(t, 1, `"upstream":"u1","state":"open","reason":"10 of 10 requests failed within 10s, the last one: status"`)
	g.end()
}

// G6: 100 requests while every upstream says 429 do not become 300. The client
// gets what the upstream said.
func TestRetryBudget(t *testing.T) {
	all, urls := mocks(t, 3)
	g := serve(t, ups("", urls...))
	for i := range 100 {
		res, body := do(t, "POST", g.url+chat, askWhole, "x-mock-status", "429", "x-mock-retry-after", "7")
		if res.StatusCode != 429 || res.Header.Get("Retry-After") != "7" || body != string(mock.ErrorBody(429)) {
			t.Fatalf("request %d: got %d, Retry-After %q, %s, want the upstream's refusal", i, res.StatusCode, res.Header.Get("Retry-After"), body)
		}
	}
	n := 0
	for _, m := range all {
		n += m.Counts().Requests
	}
	if n <= 100 || n > 120 {
		t.Errorf("the upstreams saw %d requests, want the 100 and up to 20 retries", n)
	}
	g.out.wait(t, 1, `"status":429.*"err":"too many requests are being retried`)
	g.end()
}

// G16: max_streams holds over reloads that change anything else of the upstream,
// and over one that it is missing from; only another URL is another upstream.
func TestReloadKeepsPlaces(t *testing.T) {
	_, urls := mocks(t, 2)
	up, other := urls[0], urls[1]
	const limit = 5
	config := func(url, header string) string {
		return ups(fmt.Sprintf(", max_streams: %d, headers: {x-reload: %q}", limit, header), url)
	}
	g := serve(t, config(up, "0"))
	var open []io.Closer
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	fill := func() (started int) {
		for range limit {
			res, err := client.Do(asked(t, "POST", g.url+chat, askStream, "x-mock-fault", "stall-after=1"))
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, res.Body)
			if res.StatusCode == http.StatusOK {
				started++
			}
		}
		return started
	}
	reloads := 0
	reload := func(config string) {
		g.write(t, config)
		g.signal(syscall.SIGHUP)
		reloads++
		g.log.wait(t, reloads, reloaded)
	}
	if n := fill(); n != limit {
		t.Fatalf("got %d streams, want %d", n, limit)
	}
	for i := range 3 {
		reload(config(up, fmt.Sprint(i+1)))
		if n := fill(); n != 0 {
			t.Errorf("reload %d: got %d streams beyond max_streams, want none", i, n)
		}
	}
	reload(strings.ReplaceAll(config(other, "4"), "u0", "v0"))
	reload(config(up, "5"))
	if n := fill(); n != 0 {
		t.Errorf("missing for a while: got %d streams beyond max_streams, want none", n)
	}
	reload(strings.ReplaceAll(config(up, "6"), "max_streams: 5", "max_streams: 7"))
	if n := fill(); n != 2 {
		t.Errorf("with a limit of 7: got %d more streams, want 2", n)
	}
	reload(config(other, "7"))
	if n := fill(); n != limit {
		t.Errorf("with another URL: got %d streams, want %d", n, limit)
	}
}

// G16: breaker and health survive a reload that changes anything else.
func TestReloadKeepsBlame(t *testing.T) {
	_, urls := mocks(t, 1)
	gone := "http://" + mock.Refused(t)
	config := func(header string) string {
		return ups(fmt.Sprintf(", breaker: {open: 1h}, headers: {x-reload: %q}", header), gone, urls[0])
	}
	g := serve(t, config("0"))
	for range 10 {
		g.ask(t)
	}
	g.log.wait(t, 1, `"msg":"upstream breaker has changed","upstream":"u0","state":"open"`)
	g.write(t, config("1"))
	g.signal(syscall.SIGHUP)
	g.log.wait(t, 1, reloaded)
	for range 10 {
		if status, attempts := g.ask(t); status != 200 || attempts != 1 {
			t.Errorf("got %d after %d attempts, want the upstream that is gone to be left alone", status, attempts)
		}
	}
	g.end()
}

// G17: why no upstream can be asked is said to the client, in the access line and
// in the log, each in its own words.
func TestWhyNone(t *testing.T) {
	all, urls := mocks(t, 1)
	up := all[0]
	gone := "http://" + mock.Refused(t)
	t.Run("unhealthy", func(t *testing.T) {
		g := serve(t, ups(", health: {path: /health, interval: 10ms, unhealthy: 2}", urls[0]))
		up.SetHealth(503)
		g.log.wait(t, 1, `"level":"WARN","msg":"upstream health has changed","upstream":"u0","healthy":false,"reason":"status 503"`)
		g.wantNone(t, "no_healthy_upstream", "no upstream of the model is healthy")
		up.SetHealth(200)
		g.log.wait(t, 1, `"level":"INFO","msg":"upstream health has changed","upstream":"u0","healthy":true,"reason":"1 probes in a row succeeded","after":"`)
		if status, _ := g.ask(t); status != 200 {
			t.Errorf("got %d from an upstream that is healthy again, want 200", status)
		}
		g.end()
	})
	t.Run("broken", func(t *testing.T) {
		g := serve(t, ups(", breaker: {open: 30s}", gone))
		for range 3 {
			g.ask(t)
		}
		res := g.wantNone(t, "upstreams_failing", "the upstreams of the model have failed recently and are not used for now")
		var after int
		if _, err := fmt.Sscan(res.Header.Get("Retry-After"), &after); err != nil || after < 1 || after > 30 {
			t.Errorf("got Retry-After %q, want what is left of 30 seconds", res.Header.Get("Retry-After"))
		}
		g.end()
	})
	t.Run("full", func(t *testing.T) {
		g := serve(t, ups(", max_streams: 1", urls[0]))
		res, err := client.Do(asked(t, "POST", g.url+chat, askStream, "x-mock-fault", "stall-after=1"))
		if err != nil {
			t.Fatal(err)
		}
		g.wantNone(t, "upstreams_full", "the upstreams of the model are at their limits of requests")
		res.Body.Close()
		g.end()
	})
}

// wantNone makes a request that gets no upstream.
func (g *instance) wantNone(t *testing.T, code, err string) *http.Response {
	t.Helper()
	res, body := do(t, "POST", g.url+chat, askWhole)
	var e struct {
		Error struct{ Code, Message, Type string }
	}
	decode(t, body, &e)
	if res.StatusCode != 503 || e.Error.Code != code || e.Error.Message == "" || e.Error.Type != "server_error" || res.Header.Get("Retry-After") == "" {
		t.Errorf("got %d, Retry-After %q, %s, want 503 and %s", res.StatusCode, res.Header.Get("Retry-After"), body, code)
	}
	g.out.wait(t, 1, `"status":503.*"err":"`+err)
	return res
}

// The default breaker's trial brings an upstream back.
func TestBack(t *testing.T) {
	all, urls := mocks(t, 2)
	g := serve(t, ups(", breaker: {open: 50ms}", urls...))
	if err := all[0].Refuse(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		g.ask(t)
	}
	g.log.wait(t, 1, `"upstream":"u0","state":"open"`)
	if err := all[0].Accept(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the upstream is back", func() bool {
		g.ask(t)
		return strings.Contains(g.log.String(), `"level":"INFO","msg":"upstream breaker has changed","upstream":"u0","state":"closed","reason":"the upstream responds again","after":"`)
	})
	g.end()
}
