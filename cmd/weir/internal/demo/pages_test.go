package demo

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"weir/cmd/weir/internal/admin"
)

// G19: pages of this machine may use the demo and read what it says, others may not, by their own name or a rebound one,
// and none may read the admin endpoints. A link leads to the demo's own page.
func TestPages(t *testing.T) {
	srv := New(new(admin.Probes))
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	var adm admin.Admin
	log := &logged{}
	end, err := adm.Start("127.0.0.1:0", slog.New(slog.NewJSONHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	base := "http://" + srv.Addrs()[0].String()
	adminBase := "http://127.0.0.1:" + log.port()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	const local, foreign = "http://localhost:3000", "https://evil.example"
	for _, tt := range []struct {
		name, method, url, host, origin, body string
		status                                int
		allowed                               string
	}{
		{"a program", "GET", base + "/v1/models", "", "", "", 200, ""},
		{"a local page", "GET", base + "/v1/models", "", local, "", 200, local},
		{"a local page is refused something", "POST", base + chatPath, "", local, "?", 400, local},
		{"a local page asks whether it may", "OPTIONS", base + chatPath, "", local, "", 204, local},
		{"a local page sends too much", "POST", base + chatPath, "", local, strings.Repeat("x", bodyLimit+1), 413, local},
		{"a foreign page", "POST", base + chatPath, "", foreign, "{}", 403, ""},
		{"a foreign page asks whether it may", "OPTIONS", base + chatPath, "", foreign, "", 403, ""},
		{"a rebound page", "GET", base + "/v1/models", "evil.example", "", "", 403, ""},
		{"a program at the admin address", "GET", adminBase + "/healthz", "", "", "", 200, ""},
		{"a local page there", "GET", adminBase + "/healthz", "", local, "", 403, ""},
		{"a rebound page there", "GET", adminBase + "/healthz", "evil.example", "", "", 403, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, tt.url, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = tt.host
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
			r.Header.Set("Access-Control-Request-Method", "POST")
		}
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(tt.name, err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close() // read to its end
		if got := res.Header.Get("Access-Control-Allow-Origin"); err != nil || res.StatusCode != tt.status || got != tt.allowed {
			t.Errorf("%s: got %d for %q %s, %v, want %d for %q", tt.name, res.StatusCode, got, body, err, tt.status, tt.allowed)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"} {
		r.Header.Set(name, value)
	}
	if res, err := c.Do(r); err != nil || res.StatusCode != 200 {
		t.Errorf("a link: got %v, %v", res, err)
	} else {
		_ = res.Body.Close() // it is not read
	}
}

// logged finds in a log where the admin endpoints are.
type logged struct{ strings.Builder }

func (l *logged) port() string {
	_, after, _ := strings.Cut(l.String(), "127.0.0.1:")
	return strings.TrimRight(strings.SplitN(after, "\"", 2)[0], "} \n")
}
