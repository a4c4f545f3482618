package relay

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/chunked"
	"weir/http1"
)

// received is what a client got.
type received struct {
	head  string // its lines, of fields in lower case, sorted
	body  []byte // without chunks
	whole bool   // it ends as its head says, and so does the connection
	err   error  // of the connection
}

func (r *received) parse(t *testing.T, raw []byte) {
	t.Helper()
	var h http1.Response
	n, err := h.Parse(raw, &http1.Limits{})
	if err != nil || n == 0 {
		t.Fatalf("got %q, %v; want an answer", raw, err)
	}
	lines := []string{}
	for i := range h.Len() {
		name, value := h.Field(i)
		lines = append(lines, strings.ToLower(string(name))+": "+string(value))
	}
	slices.Sort(lines)
	r.head = fmt.Sprint(h.Status(), "\n", strings.Join(lines, "\n"))
	switch kind, length := h.Body("POST"); kind {
	case http1.BodyLength:
		r.body, r.whole = raw[n:], int64(len(raw)-n) == length
	case http1.BodyChunked:
		r.unchunk(t, raw[n:])
	default:
		t.Errorf("got a body that ends %v", kind)
	}
	r.whole = r.whole && r.err == nil
}

func (r *received) unchunk(t *testing.T, p []byte) {
	var d chunked.Decoder
	for len(p) > 0 && !d.Done() {
		data, n, err := d.Next(p)
		if err != nil {
			t.Fatalf("got %q, %v; want chunks", p, err)
		}
		r.body, p = append(r.body, data...), p[n:]
	}
	r.whole = d.Done() && len(p) == 0
}

// masked hides the figures of time. The upstreams' Date is not one of them (G12).
func masked(head string) string {
	head = durations.ReplaceAllString(head, "dur=N")
	if strings.Contains(head, upstreamDate) {
		return head
	}
	return dates.ReplaceAllString(head, ownDate)
}

const (
	upstreamDate = "date: Thu, 01 Jan 2026 00:00:00 GMT"
	ownDate      = "date: now"
)

var (
	durations = regexp.MustCompile(`dur=[^,\n]+`)
	dates     = regexp.MustCompile(`(?m)^date: .+`)
)
