package config

import (
	"strings"
	"testing"
)

func TestParseEndpoint(t *testing.T) {
	tests := []struct {
		url  string
		want Endpoint
	}{
		{"http://127.0.0.1:8001", Endpoint{false, "tcp", "127.0.0.1:8001", "127.0.0.1:8001", "127.0.0.1"}},
		{"http://llm", Endpoint{false, "tcp", "llm:80", "llm", "llm"}},
		{"http://llm:080/", Endpoint{false, "tcp", "llm:80", "llm", "llm"}},
		{"http://llm:443", Endpoint{false, "tcp", "llm:443", "llm:443", "llm"}},
		{"HTTPS://API.Example.", Endpoint{true, "tcp", "api.example.:443", "api.example.", "api.example."}},
		{"https://api.example:8443/", Endpoint{true, "tcp", "api.example:8443", "api.example:8443", "api.example"}},
		{"http://[::1]", Endpoint{false, "tcp", "[::1]:80", "[::1]", "::1"}},
		{"http://[::1]:9", Endpoint{false, "tcp", "[::1]:9", "[::1]:9", "::1"}},
		{"unix:/run/a b.sock", Endpoint{false, "unix", "/run/a b.sock", "localhost", "localhost"}},
		{"unix:a.sock", Endpoint{false, "unix", "a.sock", "localhost", "localhost"}},
	}
	for _, tt := range tests {
		if got, err := ParseEndpoint(tt.url); err != nil || got != tt.want {
			t.Errorf("%s: got %+v and error %v, want %+v", tt.url, got, err, tt.want)
		}
	}
}

func TestParseEndpointRefuses(t *testing.T) {
	tests := []struct{ url, want string }{
		{"127.0.0.1:8001", "no scheme: write http:// or https:// before it"},
		{"localhost:8001", "no scheme: write http:// or https:// before it"},
		{"localhost", "no scheme: write http:// or https:// before it"},
		{"ftp://h", "want http://host:port, https://host or unix:/path"},
		{"//h/p", "want http://host:port, https://host or unix:/path"},
		{"http:/h", "want http://host:port, https://host or unix:/path"},
		{"http://", "the host is missing"},
		{"http://:80", "the host is missing"},
		{"http://h:", "the port is missing after the colon"},
		{"http://h:0", "want a port from 1 to 65535, got 0"},
		{"http://h:65536", "want a port from 1 to 65535, got 65536"},
		{"http://h:http", "is not a valid URL"},
		{"http://h h", "is not a valid URL"},
		{"http://h..x", `"h..x" is neither a host name nor an address`},
		{"http://h%41", `is not a valid URL`},
		{"http://[fe80::1%25eth0]", `"fe80::1%eth0" is neither a host name nor an address`},
		{"http://h/v1", "the path /v1 is not used: each request keeps its own, so end the URL after the host"},
		{"http://h/%2f", "the path /%2f is not used: each request keeps its own, so end the URL after the host"},
		{"http://h?a=b", "must not have a query or fragment"},
		{"http://h/#x", "must not have a query or fragment"},
		{"http://user:s3cret@h", "must not have a user or password; use key_env or headers"},
		{"http://user:s3cret@h:x y", "must not have a user or password; use key_env or headers"},
		{"unix:", "the path of the unix socket is missing: unix:/run/weir.sock"},
		{"unix:///run/a", "a unix socket has one slash: unix:/run/weir.sock"},
		{"unix:/" + strings.Repeat("a", 107), "the path of a unix socket may have 107 bytes at most, this one has 108"},
		{"unix:/a\nb", "the path of the unix socket has a control character"},
	}
	for _, tt := range tests {
		e, err := ParseEndpoint(tt.url)
		if err == nil || err.Error() != tt.want || e != (Endpoint{}) {
			t.Errorf("%s: got %+v and error %v, want error %s", tt.url, e, err, tt.want)
		}
	}
}

func TestParseListen(t *testing.T) {
	tests := []struct {
		addr string
		want listen
		err  string
	}{
		{addr: "127.0.0.1:8080", want: listen{true, "127.0.0.1:8080"}},
		{addr: "127.9.9.9:1", want: listen{true, "127.9.9.9:1"}},
		{addr: "[::1]:1", want: listen{true, "[::1]:1"}},
		{addr: "[::ffff:127.0.0.1]:1", want: listen{true, "[::ffff:127.0.0.1]:1"}},
		{addr: "localhost:1", want: listen{true, "localhost:1"}},
		{addr: "127.0.0.1:0", want: listen{true, ""}},
		{addr: ":8080", want: listen{false, ":8080"}},
		{addr: "0.0.0.0:8080", want: listen{false, "0.0.0.0:8080"}},
		{addr: "[::]:0", want: listen{false, ""}},
		{addr: "10.0.0.1:8080", want: listen{false, "10.0.0.1:8080"}},
		{addr: "host.example:8080", want: listen{false, "host.example:8080"}},
		{addr: "localhost.example:8080", want: listen{false, "localhost.example:8080"}},
		{addr: "unix:/a//b?mode=0660", want: listen{true, "unix:/a/b"}},
		{addr: "unix:/a?mode=999", err: `mode "999": want an octal file mode such as 0660`},
		{addr: "unix:/a?owner=x", err: `unknown parameter "owner" of a unix socket; there is mode`},
		{addr: "unix:/a?%", err: "want ?mode=0660 behind a unix socket, or nothing"},
		{addr: "", err: `want host:port, :port or unix:/path, got ""`},
		{addr: "8080", err: `want host:port, :port or unix:/path, got "8080"`},
		{addr: "::1:8080", err: `want host:port, :port or unix:/path, got "::1:8080"`},
		{addr: "h:http", err: `want a port from 0 to 65535, got "http"`},
		{addr: "h:65536", err: `want a port from 0 to 65535, got "65536"`},
		{addr: "http://h:1", err: `want host:port, :port or unix:/path, got "http://h:1"`},
		{addr: "a b:1", err: `"a b" is neither a host name nor an address`},
	}
	for _, tt := range tests {
		got, err := parseListen(tt.addr)
		switch {
		case tt.err != "" && (err == nil || err.Error() != tt.err):
			t.Errorf("%q: got error %v, want %s", tt.addr, err, tt.err)
		case tt.err == "" && (err != nil || got != tt.want):
			t.Errorf("%q: got %+v and error %v, want %+v", tt.addr, got, err, tt.want)
		}
	}
}
