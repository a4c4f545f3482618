package anthropic

import (
	"testing"
	"time"
)

func TestModels(t *testing.T) {
	at := time.Unix(1767225600, 0)
	const a, b = `{"type":"model","id":"a","display_name":"a","created_at":"2026-01-01T00:00:00Z"}`, `{"type":"model","id":"\"b","display_name":"\"b","created_at":"2026-01-01T00:00:00Z"}`
	for want, ids := range map[string][]string{
		`{"data":[],"has_more":false,"first_id":null,"last_id":null}`:                    nil,
		`{"data":[` + a + `],"has_more":false,"first_id":"a","last_id":"a"}`:             {"a"},
		`{"data":[` + a + `,` + b + `],"has_more":false,"first_id":"a","last_id":"\"b"}`: {"a", `"b`},
	} {
		if got := string(AppendModels(nil, ids, at)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
