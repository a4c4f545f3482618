package tour

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"
	"time"
)

func TestParseTokens(t *testing.T) {
	standard := Tokens{N: 64, Interval: 20 * time.Millisecond, Size: 8}
	tests := []struct {
		name  string
		query map[string]string
		want  Tokens
		fails bool
	}{
		{"defaults", nil, standard, false},
		{"all given", map[string]string{"n": "3", "interval": "1s", "size": "64", "stamp": "1", "chunk": "1"},
			Tokens{N: 3, Interval: time.Second, Size: 64, Stamp: true, Chunk: true}, false},
		{"negative n", map[string]string{"n": "-1"}, Tokens{}, true},
		{"interval without unit", map[string]string{"interval": "5"}, Tokens{}, true},
		{"interval of zero", map[string]string{"interval": "0s"}, Tokens{}, true},
		{"size too large", map[string]string{"size": "99999999"}, Tokens{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseTokens(func(name string) string { return tt.query[name] })
			if (err != nil) != tt.fails {
				t.Fatalf("got error %v, want failure %v", err, tt.fails)
			}
			if !tt.fails && got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestAppendFrame(t *testing.T) {
	tests := []struct {
		name   string
		tokens Tokens
		want   string
	}{
		{"plain", Tokens{Size: 8}, `^data: xxxxxxxx\n\n$`},
		{"stamped", Tokens{Size: 24, Stamp: true}, `^data: t=\d{19}   \n\n$`},
		{"chunk", Tokens{Size: 190, Chunk: true}, `^data: {"t":\d{19},"i":7,"id":"chatcmpl-0",.*"content":"x+"},"finish_reason":null}]}\n\n$`},
		{"stamp longer than size", Tokens{Size: 8, Stamp: true}, `^data: t=\d{19}\n\n$`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := string(tt.tokens.AppendFrame(nil, 7))
			if !regexp.MustCompile(tt.want).MatchString(got) {
				t.Errorf("got %q, want %s", got, tt.want)
			}
		})
	}
}

// A chunk is JSON of the size that was asked for.
func TestChunkIsJSON(t *testing.T) {
	frame := Tokens{Size: 190, Chunk: true}.AppendFrameMade(nil, 3, 1700000000123456789)
	data := bytes.TrimSuffix(bytes.TrimPrefix(frame, []byte("data: ")), []byte("\n\n"))
	var chunk struct {
		T int64
		I int
	}
	if err := json.Unmarshal(data, &chunk); err != nil || chunk.T != 1700000000123456789 || chunk.I != 3 || len(data) != 190 {
		t.Errorf("got %+v, %v, %d bytes; want the time, 3, 190 bytes", chunk, err, len(data))
	}
}

func TestStreamEndsWithDone(t *testing.T) {
	var got []string
	Tokens{N: 2, Interval: time.Microsecond, Size: 1}.Stream(nil, func(p []byte) error {
		got = append(got, string(p))
		return nil
	})
	want := []string{"data: x\n\n", "data: x\n\n", Done}
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %q, want %q", got, want)
	}
}
