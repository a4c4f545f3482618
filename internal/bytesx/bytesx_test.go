package bytesx

import (
	"bytes"
	"testing"
)

var texts = []struct{ name, text string }{
	{"empty", ""},
	{"one byte", "a"},
	{"a token", "content-length"},
	{"not UTF-8", "\xff\x00\xfe"},
}

func TestString(t *testing.T) {
	for _, tt := range texts {
		t.Run(tt.name, func(t *testing.T) {
			if got := String([]byte(tt.text)); got != tt.text {
				t.Errorf("got %q, want %q", got, tt.text)
			}
		})
	}
}

func TestStringOfNil(t *testing.T) {
	if got := String(nil); got != "" {
		t.Errorf("got %q, want an empty string", got)
	}
}

// A view follows its bytes: that is what makes it one, and why it is not kept.
func TestStringIsAView(t *testing.T) {
	b := []byte("abc")
	view := String(b)
	b[0] = 'x'
	if view != "xbc" {
		t.Errorf("got %q, want %q", view, "xbc")
	}
}

// The part of an array outside the slice is not in the view.
func TestStringOfAPart(t *testing.T) {
	b := []byte("GET /index HTTP/1.1")
	if got := String(b[4:10]); got != "/index" {
		t.Errorf("got %q, want %q", got, "/index")
	}
}

func TestBytes(t *testing.T) {
	for _, tt := range texts {
		t.Run(tt.name, func(t *testing.T) {
			got := Bytes(tt.text)
			if string(got) != tt.text {
				t.Errorf("got %q, want %q", got, tt.text)
			}
			if len(got) != cap(got) {
				t.Errorf("got capacity %d, want %d: an append would write to the string", cap(got), len(got))
			}
		})
	}
}

// Appending to a view leaves the string alone.
func TestBytesAppend(t *testing.T) {
	whole := string([]byte("abcdef"))
	got := append(Bytes(whole[:3]), 'X')
	if want := []byte("abcX"); !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if whole != "abcdef" {
		t.Errorf("the string became %q", whole)
	}
}
