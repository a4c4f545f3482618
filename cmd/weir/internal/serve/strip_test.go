package serve

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
)

// What a configuration says about keys and forwarding fields holds, and a reload changes it.
func TestStripAndForwarded(t *testing.T) {
	got := make(chan *http.Request, 1)
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r }))
	defer up.Close()
	config := "upstreams: {up: {url: '" + up.URL + "'}}\nmodels: {m: {targets: [{upstream: up}]}}\n"
	g := serve(t, config)
	ask := func() *http.Request {
		res, err := client.Do(asked(t, "POST", g.url+chat+"?key=secret&tenant=secret&a=b", askWhole,
			"Authorization", "Bearer secret", "X-Tenant", "secret", "X-Forwarded-For", "10.0.0.1", "X-Other", "1"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body) // the upstream's side is what counts
		res.Body.Close()
		return <-got
	}
	for i, tt := range []struct{ more, query, tenant, forwarded string }{
		{"", "tenant=secret&a=b", "secret", ""},
		{"strip: {headers: [X-TENANT], query: [Tenant]}\nforwarded: add\n", "a=b", "", "10.0.0.1, 127.0.0.1"},
		{"forwarded: pass\n", "tenant=secret&a=b", "secret", "10.0.0.1"},
	} {
		if i > 0 {
			g.write(t, config+tt.more)
			g.signal(syscall.SIGHUP)
			g.log.wait(t, i, reloaded)
		}
		r := ask()
		if h := r.Header; r.URL.RawQuery != tt.query || h.Get("X-Tenant") != tt.tenant || h.Get("X-Forwarded-For") != tt.forwarded ||
			h.Get("Authorization") != "" || h.Get("X-Other") != "1" || strings.Join(h["Via"], "|") != "1.1 weir" {
			t.Errorf("%q: got %s with %v", tt.more, r.URL.RawQuery, h)
		}
	}
	g.end()
}
