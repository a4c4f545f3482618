package command

import (
	"bytes"
	"slices"
	"testing"

	"weir"
)

func TestTLSFlags(t *testing.T) {
	for _, tt := range []struct {
		args  []string
		wrong bool
		want  []string
	}{
		{nil, false, []string{"127.0.0.1:8080"}},
		{[]string{"--tls-listen", ":1", "--tls-cert", "c", "--tls-key", "k", "--tls-listen", ":2"}, false, []string{"127.0.0.1:8080", "tls::1", "tls::2"}},
		{[]string{"--tls-listen", ":1", "--tls-cert", "c"}, true, nil},
		{[]string{"--tls-listen", ":1"}, true, nil},
		{[]string{"--tls-key", "k"}, true, nil},
	} {
		var s Serving
		fs := NewFlags("weir test")
		s.Register(fs, "127.0.0.1:8080")
		s.RegisterTLS(fs)
		var out bytes.Buffer
		if _, done := Parse(fs, "Tests.", tt.args, &out, &out); done {
			t.Fatalf("%v: %s", tt.args, out.String())
		}
		if err := s.CheckTLS(); (err != nil) != tt.wrong {
			t.Errorf("%v: got %v", tt.args, err)
			continue
		}
		srv := new(weir.Server)
		if got := s.addresses(srv); !tt.wrong && (!slices.Equal(got, tt.want) || len(tt.args) > 0 && *srv.TLS != (weir.TLS{CertFile: "c", KeyFile: "k"})) {
			t.Errorf("%v: got %v, %+v", tt.args, got, srv.TLS)
		}
	}
}

// A configuration's certificate is for its TCP addresses.
func TestFixedTLS(t *testing.T) {
	var s Serving
	s.Fixed([]string{":1", "unix:/x", ":2"}, weir.Timeouts{}, 0)
	s.FixedTLS("c", "k")
	if got, want := s.addresses(new(weir.Server)), []string{"unix:/x", "tls::1", "tls::2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
