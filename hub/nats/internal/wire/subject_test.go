package wire

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

// T19
func TestToken(t *testing.T) {
	for topic, want := range map[string]string{
		"news":        "news",
		"Room_1-a":    "Room_1-a",
		"room.1":      "room=2E1",
		"*":           "=2A",
		">":           "=3E",
		"a.*.>":       "a=2E=2A=2E=3E",
		"a b\t\r\n":   "a=20b=09=0D=0A",
		"=2E":         "=3D2E",
		"$JS":         "=24JS",
		"\x00":        "=00",
		"grün":        "gr=C3=BCn",
		"\xff":        "=FF",
		"a/b?c#d%20":  "a=2Fb=3Fc=23d=2520",
		"_INBOX.evil": "_INBOX=2Eevil",
	} {
		if got, err := AppendToken(nil, topic); err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v, want %q", topic, got, err, want)
		}
	}
	for _, topic := range []string{"", strings.Repeat("a", maxToken+1), strings.Repeat(".", maxToken/3+1)} {
		if got, err := AppendToken([]byte("weir.topic."), topic); !errors.Is(err, ErrTopic) || string(got) != "weir.topic." {
			t.Errorf("%d bytes: got %q, %v, want %v", len(topic), got, err, ErrTopic)
		}
	}
	if got, err := AppendToken(nil, strings.Repeat("a", maxToken)); err != nil || len(got) != maxToken {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, maxToken)
	}
}

// A token is one, holds nothing that means something in a subject, and says which
// topic it is.
func FuzzToken(f *testing.F) {
	f.Add("a.b")
	f.Add("a=2Eb")
	f.Add("*>")
	f.Fuzz(func(t *testing.T, topic string) {
		token, err := AppendToken(nil, topic)
		if err != nil {
			return
		}
		for _, c := range token {
			if c != '=' && !isPlain(c) {
				t.Fatalf("%q: got %q", topic, token)
			}
		}
		again, err := url.PathUnescape(strings.ReplaceAll(string(token), "=", "%"))
		if err != nil || again != topic {
			t.Fatalf("%q: got %q, which is %q, %v", topic, token, again, err)
		}
	})
}

func TestPrefix(t *testing.T) {
	for prefix, ok := range map[string]bool{
		"weir": true, "a.b-c.D_1": true,
		"": false, ".": false, "a.": false, ".a": false, "a..b": false, "*": false, "a.>": false, "a b": false, "ü": false, "$JS": false,
	} {
		if err := CheckPrefix(prefix); (err == nil) != ok {
			t.Errorf("%q: got %v", prefix, err)
		}
	}
}
