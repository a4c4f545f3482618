package command

import (
	"bytes"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"weir"
)

func parse(t *testing.T, args ...string) (s *Serving, code int, done bool, stdout, stderr string) {
	t.Helper()
	s = new(Serving)
	fs := NewFlags("weir test")
	s.Register(fs, "127.0.0.1:8080")
	var out, errs bytes.Buffer
	code, done = Parse(fs, "Tests.", args, &out, &errs)
	return s, code, done, out.String(), errs.String()
}

func TestFlags(t *testing.T) {
	s, code, done, _, stderr := parse(t, "--listen", ":1", "--listen=unix:/x", "--loops", "3", "--max-conns", "7", "--idle", "1m",
		"--head-timeout", "2s", "--stall", "3s", "--high", "4096", "--drain", "4s", "--grace", "1s", "--pprof", ":6060")
	if done || code != OK || stderr != "" {
		t.Fatalf("got %d, %v, %q", code, done, stderr)
	}
	srv := new(weir.Server)
	s.configure(srv)
	want := weir.Timeouts{Idle: time.Minute, Head: 2 * time.Second, WriteStall: 3 * time.Second, Drain: 4 * time.Second, DrainGrace: time.Second}
	if srv.Timeouts != want || srv.Loops != 3 || srv.Limits.Conns != 7 || srv.Limits.HighMark != 4096 {
		t.Errorf("got %+v, %d loops, %+v", srv.Timeouts, srv.Loops, srv.Limits)
	}
	if !slices.Equal(s.Listen.list, []string{":1", "unix:/x"}) || s.Pprof != ":6060" {
		t.Errorf("got the addresses %q, pprof %q", s.Listen.list, s.Pprof)
	}
}

func TestFlagsByDefault(t *testing.T) {
	s, _, _, _, _ := parse(t)
	srv := new(weir.Server)
	s.configure(srv)
	want := weir.Timeouts{Idle: 75 * time.Second, Head: 10 * time.Second, WriteStall: 30 * time.Second, Drain: 30 * time.Second}
	if srv.Timeouts != want || srv.Loops != 0 || srv.Limits.Conns != 0 || srv.Limits.HighMark != 262144 || s.Pprof != "" {
		t.Errorf("got %+v, %d loops, %+v, pprof %q", srv.Timeouts, srv.Loops, srv.Limits, s.Pprof)
	}
	if !slices.Equal(s.Listen.list, []string{"127.0.0.1:8080"}) {
		t.Errorf("got the addresses %q", s.Listen.list)
	}
}

// G16: the grace leaves a part of the drain in which new requests are refused,
// and a drain of no time is no time.
func TestGrace(t *testing.T) {
	for _, tt := range []struct{ drain, grace, wantDrain, wantGrace time.Duration }{
		{time.Minute, 2 * time.Second, time.Minute, 2 * time.Second},
		{time.Minute, 0, time.Minute, 0},
		{time.Second, 2 * time.Second, time.Second, 500 * time.Millisecond},
		{0, 2 * time.Second, 1, 0},
	} {
		var s Serving
		s.Fixed(nil, weir.Timeouts{Drain: tt.drain, DrainGrace: tt.grace}, 0)
		srv := new(weir.Server)
		s.configure(srv)
		if got := srv.Timeouts; got.Drain != tt.wantDrain || got.DrainGrace != tt.wantGrace {
			t.Errorf("%v of %v: got %v of %v, want %v of %v", tt.grace, tt.drain, got.DrainGrace, got.Drain, tt.wantGrace, tt.wantDrain)
		}
	}
}

func TestHelp(t *testing.T) {
	_, code, done, stdout, stderr := parse(t, "--help")
	if !done || code != OK || stderr != "" {
		t.Errorf("got %d, %v, %q, want a clean end", code, done, stderr)
	}
	for _, want := range []string{
		"usage: weir test [flags]\n\nTests.\n\nflags:\n",
		"\n  --listen ADDRESS         ADDRESS to serve on, host:port or unix:/path?mode=0660; may be given more than once (default 127.0.0.1:8080)\n",
		"\n  --high BYTES ", "(default 262144)\n",
		"\n  --loops N                N event loops; 0 = one for each processor\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("got %s, want %q in it", stdout, want)
		}
	}
}

func TestWrongUse(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--nothing", "flag provided but not defined: -nothing"},
		{"x --loops 1", `unexpected argument "x"`},
		{"--idle", "flag needs an argument: -idle"},
		{"--idle 0s", "-idle: must be more than zero"},
		{"--idle -1s", "-idle: must be more than zero"},
		{"--grace -1s", "-grace: must not be below zero"},
		{"--grace 5", `-grace: want a duration such as "500ms"`},
		{"--stall x", `-stall: want a duration such as "500ms"`},
		{"--loops 1x", "-loops: want a number from 0 to 1024"},
		{"--loops 1025", "-loops: want a number from 0 to 1024"},
		{"--high 1023", "-high: want a number from 1024 to 1073741824"},
		{"--listen=", "-listen: empty address"},
	} {
		_, code, done, stdout, stderr := parse(t, strings.Fields(tt.args)...)
		if !done || code != Usage || stdout != "" || !strings.HasPrefix(stderr, "weir test: ") ||
			!strings.Contains(stderr, tt.want) || !strings.HasSuffix(stderr, "\nRun 'weir test --help' for its usage.\n") {
			t.Errorf("%s: got %d, stdout %q, stderr %q, want %q", tt.args, code, stdout, stderr, tt.want)
		}
	}
}

func TestURLs(t *testing.T) {
	got := urls("http", []net.Addr{
		&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080},
		&net.TCPAddr{IP: net.IPv6loopback, Port: 80},
		&net.UnixAddr{Name: "/run/weir.sock", Net: "unix"},
	})
	if want := "http://127.0.0.1:8080 http://[::1]:80 unix:/run/weir.sock"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
