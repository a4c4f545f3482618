package client_test

import (
	"strings"
	"testing"

	"weir/client"
)

func TestParseEndpoint(t *testing.T) {
	tests := []struct {
		url  string
		want client.Endpoint
	}{
		{"http://127.0.0.1:8001", client.Endpoint{false, "tcp", "127.0.0.1:8001", "127.0.0.1:8001", "127.0.0.1", ""}},
		{"http://llm", client.Endpoint{false, "tcp", "llm:80", "llm", "llm", ""}},
		{"http://llm:080/", client.Endpoint{false, "tcp", "llm:80", "llm", "llm", ""}},
		{"http://llm:443", client.Endpoint{false, "tcp", "llm:443", "llm:443", "llm", ""}},
		{"HTTPS://API.Example.", client.Endpoint{true, "tcp", "api.example.:443", "api.example.", "api.example.", ""}},
		{"https://api.example:8443/", client.Endpoint{true, "tcp", "api.example:8443", "api.example:8443", "api.example", ""}},
		{"http://[::1]", client.Endpoint{false, "tcp", "[::1]:80", "[::1]", "::1", ""}},
		{"http://[::1]:9", client.Endpoint{false, "tcp", "[::1]:9", "[::1]:9", "::1", ""}},
		{"unix:/run/a b.sock", client.Endpoint{false, "unix", "/run/a b.sock", "localhost", "localhost", ""}},
		{"unix:a.sock", client.Endpoint{false, "unix", "a.sock", "localhost", "localhost", ""}},
		{"http://h/openai", client.Endpoint{false, "tcp", "h:80", "h", "h", "/openai"}},
		{"https://H/Open%2fAI/v1/", client.Endpoint{true, "tcp", "h:443", "h", "h", "/Open%2fAI/v1"}},
	}
	for _, tt := range tests {
		if got, err := client.ParseEndpoint(tt.url); err != nil || got != tt.want {
			t.Errorf("%s: got %+v and error %v, want %+v", tt.url, got, err, tt.want)
		} else if again, err := client.ParseEndpoint(got.String()); err != nil || again != got {
			t.Errorf("%s, as %s: got %+v and error %v, want the same again", tt.url, got, again, err)
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
		{"http://h//", "the path has an empty part, or one of dots"},
		{"http://h/a//b", "the path has an empty part, or one of dots"},
		{"http://h/a/../b", "the path has an empty part, or one of dots"},
		{"http://h/a/%2e%2E", "the path has an empty part, or one of dots"},
		{"http://h/a b", "the path has a character that must be percent-encoded"},
		{"http://h/ä", "the path has a character that must be percent-encoded"},
		{"http://h/a%zz", "is not a valid URL"},
		{"http://h?a=b", "must not have a query or fragment"},
		{"http://h/#x", "must not have a query or fragment"},
		{"http://user:s3cret@h", "must not have a user or password; send them in a header field"},
		{"http://user:s3cret@h:x y", "must not have a user or password; send them in a header field"},
		{"unix:", "the path of the unix socket is missing: unix:/run/weir.sock"},
		{"unix:///run/a", "a unix socket has one slash: unix:/run/weir.sock"},
		{"unix:/" + strings.Repeat("a", 107), "the path of a unix socket may have 107 bytes at most, this one has 108"},
		{"unix:/a\nb", "the path of the unix socket has a control character"},
	}
	for _, tt := range tests {
		e, err := client.ParseEndpoint(tt.url)
		if err == nil || err.Error() != "client: endpoint: "+tt.want || e != (client.Endpoint{}) {
			t.Errorf("%s: got %+v and error %v, want error %s", tt.url, e, err, tt.want)
		}
	}
}
