package config

import "testing"

// A hint is for a name that there is not, and each name has one at most.
func TestHints(t *testing.T) {
	for typ, meant := range hints {
		for _, name := range shapeOf(typ).names() {
			if meant[bare(name)] != "" {
				t.Errorf("%v has a field %s and a hint for that name", typ, name)
			}
		}
	}
}

// What is proposed for a duration or a size is one.
func FuzzWritten(f *testing.F) {
	for _, text := range []string{"5", "1 min", "1d", "0.5days", "64M", "1 GiB", "9e9", "..", "1.5m", "99999999999999999999d", "3 hours", "5kb", "\x00d"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d Duration
		if s := writtenDuration(text); s != "" && d.UnmarshalText([]byte(s)) != nil {
			t.Errorf("%q: proposed the duration %q", text, s)
		}
		var b Size
		if s := writtenSize(text); s != "" && b.UnmarshalText([]byte(s)) != nil {
			t.Errorf("%q: proposed the size %q", text, s)
		}
	})
}
