package config

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	tests := []struct {
		text  string
		want  time.Duration
		shown string
	}{
		{"2s", 2 * time.Second, "2s"},
		{"0", 0, "0s"},
		{"60s", time.Minute, "1m"},
		{"90s", 90 * time.Second, "1m30s"},
		{"120m", 2 * time.Hour, "2h"},
		{"1h0m5s", time.Hour + 5*time.Second, "1h0m5s"},
		{"24h", 24 * time.Hour, "24h"},
		{"1.5ms", 1500 * time.Microsecond, "1.5ms"},
		{"-1m", -time.Minute, "-1m"},
	}
	for _, tt := range tests {
		var d, again Duration
		if err := d.UnmarshalText([]byte(tt.text)); err != nil || d.D() != tt.want {
			t.Errorf("%s: got %v and error %v, want %v", tt.text, d.D(), err, tt.want)
		}
		if got := d.String(); got != tt.shown {
			t.Errorf("%s: got it shown as %s, want %s", tt.text, got, tt.shown)
		}
		if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d {
			t.Errorf("%s: got %v and error %v when read again, want %v", tt.text, again, err, d)
		}
	}
	for _, text := range []string{"", "2", "2 s", "s", "1d", "9999999h"} {
		d := Duration(7)
		if err := d.UnmarshalText([]byte(text)); err == nil || d != 7 {
			t.Errorf("%q: got %v and error %v, want an error and nothing changed", text, d, err)
		}
	}
}

func TestSize(t *testing.T) {
	tests := []struct {
		text  string
		want  Size
		shown string
	}{
		{"64MiB", 64 << 20, "64MiB"},
		{"1048576", 1 << 20, "1MiB"},
		{"1025", 1025, "1025B"},
		{"5B", 5, "5B"},
		{"3KiB", 3 << 10, "3KiB"},
		{"2GiB", 2 << 30, "2GiB"},
		{"2kB", 2000, "2000B"},
		{"2KB", 2000, "2000B"},
		{"1024kB", 1024000, "1000KiB"},
		{"2MB", 2e6, "2000000B"},
		{"2GB", 2e9, "1953125KiB"},
		{"0", 0, "0B"},
		{"8589934591GiB", 8589934591 << 30, "8589934591GiB"},
	}
	for _, tt := range tests {
		var s, again Size
		if err := s.UnmarshalText([]byte(tt.text)); err != nil || s != tt.want {
			t.Errorf("%s: got %d and error %v, want %d", tt.text, s, err, tt.want)
		}
		if got := s.String(); got != tt.shown {
			t.Errorf("%s: got it shown as %s, want %s", tt.text, got, tt.shown)
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%s: got %v and error %v when read again, want %v", tt.text, again, err, s)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "+1", "1.5MiB", "64 MiB", "64M", "64mib", "8589934592GiB", "9223372036854775808"} {
		s := Size(7)
		if err := s.UnmarshalText([]byte(text)); err == nil || s != 7 {
			t.Errorf("%q: got %v and error %v, want an error and nothing changed", text, s, err)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"policy", "polcy", 1}, {"policy", "poilcy", 1}, {"modles", "models", 1},
		{"model", "modem", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q, %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := distance(tt.b, tt.a); got != tt.want {
			t.Errorf("%q, %q: got %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}
