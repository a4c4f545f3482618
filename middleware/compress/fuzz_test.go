package compress

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

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
		if name, got := weighted([]byte("gzip;q=" + s)); name != "gzip" || got != want {
			t.Errorf("%q: got %q, %d, want %d", s, name, got, want)
		}
	})
}
