package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that is written "2s" or "1m30s". A plain 0 is
// zero.
type Duration time.Duration

// D is d as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String is d as time.Duration prints it, without the zero units at its end:
// "1m", not "1m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes d so that UnmarshalText reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what time.ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return &malformed{`a duration such as "2s" or "1m30s"`, writtenDuration(string(text))}
	}
	*d = Duration(v)
	return nil
}

// Size is a number of bytes that is written "64MiB". The units are B, KiB, MiB,
// GiB and, in thousands, kB, MB, GB; without one it is bytes.
type Size int64

// malformed is the error of a text that is not in the notation of its type.
type malformed struct {
	want    string
	written string // how it is probably meant; "" = that cannot be guessed
}

func (m *malformed) Error() string { return "want " + m.want }

// units are in the order in which String tries them.
var units = [...]struct {
	name  string
	bytes int64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

// String is s in the largest binary unit that leaves a whole number.
func (s Size) String() string {
	for _, u := range units[:3] {
		if n := int64(s); n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// MarshalText writes s so that UnmarshalText reads it.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a whole number and a unit.
func (s *Size) UnmarshalText(text []byte) error {
	n, ok := parseSize(string(text))
	if !ok {
		return &malformed{`a size such as "64MiB"`, writtenSize(string(text))}
	}
	*s = n
	return nil
}

func parseSize(number string) (Size, bool) {
	scale := int64(1)
	for _, u := range units {
		if before, ok := strings.CutSuffix(number, u.name); ok {
			number, scale = before, u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/scale {
		return 0, false
	}
	return Size(int64(n) * scale), true
}

// Status is a range of HTTP statuses: "500-599", or 429 for one alone.
type Status struct{ First, Last int }

var errStatus = &malformed{want: `a status such as 429, or a range such as "500-599", from 400 to 599`}

// Has reports whether the range has that status.
func (s Status) Has(status int) bool { return s.First <= status && status <= s.Last }

// String is s as it is written in a configuration.
func (s Status) String() string {
	if s.First == s.Last {
		return strconv.Itoa(s.First)
	}
	return fmt.Sprintf("%d-%d", s.First, s.Last)
}

// MarshalJSON writes s so that the decoder reads it: one alone as a number.
func (s Status) MarshalJSON() ([]byte, error) {
	if s.First == s.Last {
		return strconv.AppendInt(nil, int64(s.First), 10), nil
	}
	return strconv.AppendQuote(nil, s.String()), nil
}

// UnmarshalText reads a status, or two with a hyphen between them.
func (s *Status) UnmarshalText(text []byte) error {
	first, last, isRange := strings.Cut(string(text), "-")
	if !isRange {
		last = first
	}
	a, errA := strconv.ParseUint(first, 10, 16)
	b, errB := strconv.ParseUint(last, 10, 16)
	if errA != nil || errB != nil || a < 400 || b > 599 || a > b {
		return errStatus
	}
	*s = Status{int(a), int(b)}
	return nil
}
