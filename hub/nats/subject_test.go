package natsbroker

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"weir/hub"
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
		if got, err := appendToken(nil, topic); err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v, want %q", topic, got, err, want)
		}
	}
	for _, topic := range []string{"", strings.Repeat("a", maxToken+1), strings.Repeat(".", maxToken/3+1)} {
		if got, err := appendToken([]byte("weir.topic."), topic); !errors.Is(err, hub.ErrTopic) || string(got) != "weir.topic." {
			t.Errorf("%d bytes: got %q, %v, want %v", len(topic), got, err, hub.ErrTopic)
		}
	}
	if got, err := appendToken(nil, strings.Repeat("a", maxToken)); err != nil || len(got) != maxToken {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, maxToken)
	}
}

// The server itself says that a topic is one literal token, and that two topics have
// two subjects.
func FuzzToken(f *testing.F) {
	f.Add("a.b", "a=2Eb")
	f.Add("*", ">")
	f.Add("", " ")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := appendToken([]byte("weir.topic."), a)
		if err != nil {
			return
		}
		if !server.IsValidLiteralSubject(string(x)) || strings.Count(string(x), ".") != 2 {
			t.Errorf("%q: got subject %q", a, x)
		}
		y, err := appendToken([]byte("weir.topic."), b)
		if err == nil && a != b && (string(x) == string(y) || server.SubjectsCollide(string(x), string(y))) {
			t.Errorf("%q and %q share subject %q", a, b, x)
		}
	})
}

func TestPrefix(t *testing.T) {
	for prefix, ok := range map[string]bool{
		"weir": true, "a.b-c.D_1": true,
		"": false, ".": false, "a.": false, ".a": false, "a..b": false, "*": false, "a.>": false, "a b": false, "ü": false, "$JS": false,
	} {
		if err := checkPrefix(prefix); (err == nil) != ok {
			t.Errorf("%q: got %v", prefix, err)
		}
	}
}
