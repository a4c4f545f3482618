package config

import "testing"

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
		{addr: "127.0.0.1:8080?proxy=10.0.0.0/8,unix", want: listen{true, "127.0.0.1:8080"}},
		{addr: "unix:/a?mode=0660&proxy=unix&proxy-timeout=1s", want: listen{true, "unix:/a"}},
		{addr: "127.0.0.1:1?proxy=all", err: `proxy: "all" is not an address, a prefix such as 10.0.0.0/8, or one of loopback, private, unix and *`},
		{addr: "127.0.0.1:1?mode=0660", err: `unknown parameter "mode" of an address; there are proxy and proxy-timeout`},
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
