package accept

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fields are the lines of an Accept-Encoding, with others around them.
func fields(lines ...string) func(yield func(name, value []byte) bool) {
	return func(yield func(name, value []byte) bool) {
		if !yield([]byte("Accept"), []byte("gzip")) {
			return
		}
		for _, line := range lines {
			if !yield([]byte("accept-ENCODING"), []byte(line)) {
				return
			}
		}
		yield([]byte("Accept-Language"), []byte("br"))
	}
}

// M7, S16: the client's weights decide, then our order.
func TestCodings(t *testing.T) {
	known := []string{"zstd", "br", "gzip"}
	for _, tt := range []struct{ accept, want string }{
		{"", ""}, {"gzip", "gzip"}, {"GZip", "gzip"}, {"x-gzip", "gzip"}, {"X-GZIP;q=0.5, br;q=0.4", "gzip br"},
		{"gzip, deflate, br, zstd", "zstd br gzip"}, {"gzip|br", "br gzip"}, {",,gzip,,", "gzip"},
		{"zstd;q=0.5, br;q=0.8, gzip;q=0.8", "br gzip zstd"}, {"gzip;q=0.9, br;q=0.8", "gzip br"}, {"zstd;q=0, br;q=0.001, gzip;q=0.000", "br"},
		{"gzip, gzip;q=0.5, br;q=0.7", "gzip br"},
		{"*", "zstd br gzip"}, {"*;q=0.1", "zstd br gzip"}, {"zstd;q=0, *;q=0.5", "br gzip"}, {"*, br;q=0", "zstd gzip"}, {"*;q=0", ""}, {"gzip, *;q=0", "gzip"},
		{"identity", ""}, {"identity, gzip;q=0.5", ""}, {"identity;q=0.5, gzip", "gzip"}, {"identity;q=0.5, gzip;q=0.5", "gzip"}, {"gzip, identity", "gzip"},
		{"identity;q=0", ""}, {"identity;q=0, gzip;q=0.1", "gzip"}, {"identity;q=0.5, *;q=0.3", ""}, {"identity;q=0.5, *;q=0.3, br", "br"},
		{"gzip ; q=1.000", "gzip"}, {"gzip ; Q=0.5", "gzip"}, {"gzip;q=1.", "gzip"}, {"gzip;q=0.001", "gzip"},
		{"gzip;q=0", ""}, {"gzip;q=0.0000", ""}, {"gzip;q=0.1234", ""}, {"gzip;q=1.001", ""}, {"gzip;q=2", ""}, {"gzip;q=", ""}, {"gzip;q=-1", ""}, {"gzip;q", ""}, {"gzip;", ""},
		{"gzip;level=9", ""}, {"gzip;level=9, *", "zstd br"}, {"gzip;q=1;q=1", ""},
		{"deflate, compress", ""}, {"gzipped", ""}, {"gzip br", ""}, {strings.Repeat("x,", 500) + "gzip", "gzip"},
	} {
		got := Codings([]string{"kept"}, fields(strings.Split(tt.accept, "|")...), known)
		if got := strings.Join(got[1:], " "); got != tt.want {
			t.Errorf("%.80q: got %q, want %q", tt.accept, got, tt.want)
		}
	}
	many := strings.Fields("a b c d e f g h i j")
	if got := Codings(nil, fields("j, a;q=0.5, *;q=0.7"), many); strings.Join(got, " ") != "j b c d e f g h i a" {
		t.Errorf("of ten: got %q", got)
	}
	if got := Codings(nil, func(func(name, value []byte) bool) {}, known); len(got) != 0 {
		t.Errorf("without the field: got %q", got)
	}
}

// A weight is what RFC 9110 12.4.2 has, and everything else is not accepted.
func FuzzWeight(f *testing.F) {
	for _, s := range []string{"0", "1", "0.5", "1.000", "0.123", "0.", "1.", "0.1234", "1.001", "2", "00", ".5", "0,5", "0x1", "1e0", "+1", " 1", "", "٠"} {
		f.Add(s)
	}
	valid := regexp.MustCompile(`^(0(\.[0-9]{0,3})?|1(\.0{0,3})?)$`)
	f.Fuzz(func(t *testing.T, s string) {
		want := 0
		if s := strings.TrimRight(s, " \t"); valid.MatchString(s) { // as elements of a list are
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			want = int(v*1000 + 0.5)
		}
		if name, got := weighted([]byte("gzip;q=" + s)); string(name) != "gzip" || got != want {
			t.Errorf("%q: got %q, %d, want %d", s, name, got, want)
		}
	})
}

// What is accepted is named, by itself or by a star, and each once.
func FuzzCodings(f *testing.F) {
	for _, seed := range []string{"gzip", "gzip;q=0.5, br", "*;q=0", "identity;q=0,*", ";;;", "gzip;q=1.0000", ",", "br;q=0.12"} {
		f.Add(seed)
	}
	known := []string{"br", "zstd", "gzip"}
	f.Fuzz(func(t *testing.T, value string) {
		got := Codings(nil, fields(value), known)
		for _, name := range got {
			if !strings.Contains(value, "*") && !strings.Contains(strings.ToLower(value), name) {
				t.Errorf("%q: got %s, which it does not name", value, name)
			}
		}
		if slices.Sort(got); len(slices.Compact(got)) != len(got) {
			t.Errorf("%q: got %q", value, got)
		}
	})
}
