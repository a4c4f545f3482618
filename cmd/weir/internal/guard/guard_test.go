package guard

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

var (
	loopback  = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	loopback6 = &net.TCPAddr{IP: net.IPv6loopback, Port: 8080}
	wildcard  = &net.TCPAddr{Port: 8080}
	lan       = &net.TCPAddr{IP: net.IPv4(192, 168, 1, 5), Port: 8080}
	socket    = &net.UnixAddr{Name: "/run/weir.sock", Net: "unix"}
)

// asked puts a request to a policy: lines are of fields.
func asked(p *Policy, at net.Addr, method, host string, lines ...string) *Refusal {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	var name []byte
	if host != "" {
		name = []byte(host)
	}
	return p.check(at, name, method, httpFields{h})
}

// A page that has rebound its name to this machine still sends its name.
func TestHost(t *testing.T) {
	for _, tt := range []struct {
		name    string
		at      []net.Addr
		hosts   []string
		yes, no string
	}{
		{
			"loopback", []net.Addr{loopback, loopback6}, nil,
			"localhost LocalHost:8080 localhost. a.localhost a.B.localhost:1 127.0.0.1 127.0.0.1:8080 127.1.2.3 127.0.0.1. [::1] [::1]:8080 [::ffff:127.0.0.1] localhost:",
			"evil.example evil.example:8080 localhost.evil.example xlocalhost .localhost 127.0.0.1.evil.example [::1%25eth0] 10.0.0.1 0.0.0.0 [::] 1.example 127.1 [::2]:8080",
		},
		{
			"loopback with names", []net.Addr{loopback}, []string{"GW.example", "10.1.2.3", "[::2]", "other.example."},
			"localhost 127.0.0.1 gw.example gw.EXAMPLE:443 gw.example. 10.1.2.3:80 [::2]:80 other.example", "evil.example gw.example.evil xgw.example 10.1.2.4",
		},
		{"loopback with any", []net.Addr{loopback}, []string{"*"}, "localhost evil.example", ""},
		{"elsewhere", []net.Addr{wildcard, lan}, nil, "localhost evil.example 10.0.0.1:8080", ""},
		{
			"elsewhere with names", []net.Addr{wildcard, lan}, []string{"gw.example"},
			"gw.example gw.example:8080 192.168.1.5:8080 127.0.0.1 [::1]:8080", "evil.example localhost localhost.evil.example",
		},
		{"a unix socket", []net.Addr{socket, nil}, []string{"gw.example"}, "localhost evil.example", ""},
	} {
		p := New(Config{Hosts: tt.hosts})
		for _, at := range tt.at {
			for _, host := range append(strings.Fields(tt.yes), "") { // without Host, it is no browser
				if no := asked(p, at, "GET", host); no != nil {
					t.Errorf("%s, %v: %q: got %s, want none", tt.name, at, host, no.Code)
				}
			}
			for _, host := range strings.Fields(tt.no) {
				if no := asked(p, at, "GET", host); no != foreignHost {
					t.Errorf("%s, %v: %q: got %v, want a refusal", tt.name, at, host, no)
				}
			}
		}
	}
}

// What browsers send with requests of pages, and of their users.
func TestOrigin(t *testing.T) {
	const (
		here = "127.0.0.1:8080"
		gw   = "gw.example"
	)
	for _, tt := range []struct {
		name   string
		config Config
		at     net.Addr
		host   string
		lines  []string
		passes bool
	}{
		{"no browser", Config{}, loopback, here, nil, true},
		{"no browser, nobody allowed", NoPages, loopback, here, nil, true},

		{"a foreign page", Config{}, loopback, here, []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, false},
		{"... of an old browser", Config{}, loopback, here, []string{"Origin: https://evil.example"}, false},
		{"... without Origin", Config{}, loopback, here, []string{"Sec-Fetch-Site: cross-site"}, false},
		{"... elsewhere", Config{}, lan, gw, []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, false},
		{"... by a unix socket", Config{}, socket, gw, []string{"Origin: https://evil.example"}, false},
		{"null", Config{}, loopback, here, []string{"Origin: null"}, false},
		{"null, here", Config{}, loopback, here, []string{"Origin: null", "Sec-Fetch-Site: same-site"}, false},
		{"two origins", Config{}, loopback, here, []string{"Origin: http://127.0.0.1:8080", "Origin: https://evil.example"}, false},
		{"two sites", Config{}, loopback, here, []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"}, false},
		{"an unknown site", Config{}, loopback, here, []string{"Sec-Fetch-Site: other"}, false},
		{"an empty origin", Config{}, loopback, here, []string{"Origin: "}, false},

		{"the server's own page", Config{}, lan, gw, []string{"Origin: http://gw.example", "Sec-Fetch-Site: same-origin"}, true},
		{"... of an old browser", Config{}, lan, gw, []string{"Origin: http://GW.example"}, true},
		{"... behind TLS", Config{}, socket, gw, []string{"Origin: https://gw.example"}, true},
		{"... with the scheme's port", Config{}, socket, gw + ":443", []string{"Origin: https://gw.example"}, true},
		{"... with another port", Config{}, lan, gw + ":8080", []string{"Origin: http://gw.example"}, false},
		{"... with another scheme's port", Config{}, lan, gw + ":443", []string{"Origin: http://gw.example"}, false},
		{"... where a proxy changes Host", Config{}, socket, "weir", []string{"Origin: https://gw.example", "Sec-Fetch-Site: same-origin"}, true},
		{"... nobody allowed", NoPages, loopback, here, []string{"Origin: http://127.0.0.1:8080", "Sec-Fetch-Site: same-origin"}, true},
		{"the address bar", Config{}, lan, gw, []string{"Sec-Fetch-Site: none"}, true},
		{"an extension", Config{}, loopback, here, []string{"Origin: chrome-extension://abc", "Sec-Fetch-Site: none"}, false},
		{"a sibling", Config{}, lan, gw, []string{"Origin: https://other.example", "Sec-Fetch-Site: same-site"}, false},
		{"a sibling without Origin", Config{}, lan, gw, []string{"Sec-Fetch-Site: same-site"}, false},
		{"another port of this machine without Origin", Config{}, loopback, here, []string{"Sec-Fetch-Site: same-site"}, true},
		{"... nobody allowed", NoPages, loopback, here, []string{"Sec-Fetch-Site: same-site"}, false},

		{"a page of this machine", Config{}, loopback, here, []string{"Origin: http://localhost:3000", "Sec-Fetch-Site: cross-site"}, true},
		{"... by https", Config{}, loopback6, "[::1]:8080", []string{"Origin: https://127.0.0.1:5173"}, true},
		{"... by IPv6", Config{}, loopback, here, []string{"Origin: http://[::1]:3000"}, true},
		{"... below localhost", Config{}, loopback, here, []string{"Origin: http://tauri.localhost"}, true},
		{"... elsewhere", Config{}, lan, gw, []string{"Origin: http://localhost:3000"}, false},
		{"... by a unix socket", Config{}, socket, gw, []string{"Origin: http://localhost:3000"}, false},
		{"... nobody allowed", NoPages, loopback, here, []string{"Origin: http://localhost:3000"}, false},
		{"one that looks like it", Config{}, loopback, here, []string{"Origin: http://localhost.evil.example"}, false},
		{"another that does", Config{}, loopback, here, []string{"Origin: http://127.0.0.1.evil.example"}, false},
		{"with a user", Config{}, loopback, here, []string{"Origin: http://localhost:80@evil.example"}, false},
		{"app", Config{}, loopback, here, []string{"Origin: app://obsidian.md", "Sec-Fetch-Site: cross-site"}, true},
		{"file", Config{}, loopback, here, []string{"Origin: file://"}, true},
		{"tauri", Config{}, loopback, here, []string{"Origin: tauri://localhost"}, true},
		{"vscode-webview", Config{}, loopback, here, []string{"Origin: vscode-webview://1a2b"}, true},
		{"vscode-file", Config{}, loopback, here, []string{"Origin: vscode-file://vscode-app"}, true},
		{"app elsewhere", Config{}, lan, gw, []string{"Origin: app://obsidian.md"}, false},
		{"application", Config{}, loopback, here, []string{"Origin: application://x"}, false},

		{"configured", Config{Origins: []string{"https://App.example"}}, lan, gw, []string{"Origin: https://app.example", "Sec-Fetch-Site: cross-site"}, true},
		{"... and another", Config{Origins: []string{"https://app.example"}}, lan, gw, []string{"Origin: https://app.example.evil"}, false},
		{"... in place of this machine's", Config{Origins: []string{"https://app.example"}}, loopback, here, []string{"Origin: http://localhost:3000"}, false},
		{"all", Config{Origins: []string{"*"}}, lan, gw, []string{"Origin: null", "Sec-Fetch-Site: cross-site"}, true},
		{"all, without Origin", Config{Origins: []string{"*"}}, lan, gw, []string{"Sec-Fetch-Site: cross-site"}, true},
		{"all, rebound", Config{Origins: []string{"*"}}, loopback, "evil.example", []string{"Origin: http://evil.example", "Sec-Fetch-Site: same-origin"}, false},

		{"a link", Config{}, loopback, here, []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, false},
		{"a link where there are pages", Config{Links: true}, loopback, here, []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, true},
		{"a frame there", Config{Links: true}, loopback, here, []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, false},
		{"an image there", Config{Links: true}, loopback, here, []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, false},
	} {
		no := asked(New(tt.config), tt.at, "GET", tt.host, tt.lines...)
		if (no == nil) != tt.passes {
			t.Errorf("%s: %q to %q at %v: got %v, want it to pass: %v", tt.name, tt.lines, tt.host, tt.at, no, tt.passes)
		}
	}
	reads := New(Config{Origins: []string{}, Hosts: []string{"*"}, Reads: true})
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "get", "TRACE"} {
		safe := method == "GET" || method == "HEAD" || method == "OPTIONS"
		for _, lines := range [][]string{
			{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, {"Origin: null"}, {"Sec-Fetch-Site: same-site"},
			{"Origin: http://localhost:3000"}, {"Origin: http://127.0.0.1:8080", "Origin: https://evil.example"},
		} {
			if no := asked(reads, loopback, method, here, lines...); (no == nil) != safe {
				t.Errorf("%s by %q where pages may read: got %v", method, lines, no)
			}
		}
		for _, lines := range [][]string{nil, {"Origin: http://foreign.example", "Sec-Fetch-Site: same-origin"}, {"Origin: http://foreign.example"}} {
			if no := asked(reads, loopback, method, "foreign.example", lines...); no != nil {
				t.Errorf("%s by %q where any Host is known: got %v", method, lines, no)
			}
		}
	}
	post := []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}
	if no := asked(New(Config{Links: true}), loopback, "POST", here, post...); no != foreignOrigin {
		t.Errorf("a form: got %v, want a refusal", no)
	}
}

// What stands before every handler of net/http does, too.
func TestHandler(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: New(NoPages).Handler(lis, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
	over := make(chan error, 1)
	go func() { over <- srv.Serve(lis) }()
	defer func() {
		_ = srv.Close() // its error is Serve's
		<-over
	}()
	for _, tt := range []struct {
		host, origin string
		want         int
	}{
		{"", "", 200}, {"evil.example", "", 403}, {"", "https://evil.example", 403},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+lis.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = tt.host
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != tt.want {
			t.Errorf("%+v: got %d, %v", tt, res.StatusCode, err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// FuzzHost: what is taken for a loopback name is one to the standard library, too.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"localhost:80", "[::1]:8080", "127.0.0.1", "a.localhost.", "[::1", "]", "1:2:3", "127.0.0.1.evil", "[::1%25eth0]:1"} {
		f.Add(s)
	}
	p := New(Config{})
	f.Fuzz(func(t *testing.T, host string) {
		if host == "" || asked(p, loopback, "GET", host) != nil {
			return
		}
		name := host
		if h, _, err := net.SplitHostPort(host); err == nil {
			name = h
		}
		name = strings.TrimSuffix(strings.ToLower(strings.Trim(name, "[]")), ".")
		ip := net.ParseIP(name)
		if name != "localhost" && !strings.HasSuffix(name, ".localhost") && (ip == nil || !ip.IsLoopback()) {
			t.Errorf("%q was taken for a loopback name", host)
		}
	})
}
