package relay

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"weir/cmd/weir/internal/upstream"
)

const jsonHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"

// has reports whether a head has the field, in any case.
func has(head, name string) bool {
	return strings.Contains(strings.ToLower(head), "\n"+strings.ToLower(name)+":")
}

// G12: what any line of Connection names is for that connection, both ways, and so are the fields that always are.
func TestConnectionLines(t *testing.T) {
	const (
		lines = "X-Kept: 1\r\nConnection: keep-alive\r\nX-One: 1\r\nX-Two: 2\r\nConnection: x-one , ,X-TWO\r\nKeep-Alive: 5\r\nX-Three: 3\r\n" +
			"connection:\r\nconnection: x-three\r\nTE: trailers\r\nTrailer: x-t\r\nProxy-Connection: close\r\nX-Fours: 4\r\n"
		body = `{"model":"m"}`
	)
	check := func(t *testing.T, whose, head string) {
		for _, name := range strings.Fields("X-One X-Two X-Three Keep-Alive TE Trailer Proxy-Connection") {
			if has(head, name) {
				t.Errorf("%s: got %q with %s, want without", whose, head, name)
			}
		}
		for _, name := range strings.Fields("X-Kept X-Fours") {
			if !has(head, name) {
				t.Errorf("%s: got %q without %s, want with it", whose, head, name)
			}
		}
	}
	atRig(t, 1, func(r *rig) {
		c := r.dial(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n%sContent-Length: %d\r\n\r\n%s", lines, len(body), body))
		up := r.asked(0)
		check(t, "upstream", r.seen(up))
		r.write(up, jsonHead+lines+"\r\n{}")
		check(t, "client", r.seen(c))
	})
}

// H19: close on any line of Connection ends the connection, the client's and the upstream's.
func TestCloseOnAnyLine(t *testing.T) {
	const twoLines = "Connection: keep-alive\r\nX-A: 1\r\nConnection: x-b, CLOSE\r\n"
	const body = `{"model":"m"}`
	for _, tt := range []struct{ name, client, upstream string }{
		{"neither", "", ""},
		{"client", twoLines, ""},
		{"upstream", "", twoLines},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atRig(t, 1, func(r *rig) {
				request := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n%sContent-Length: %d\r\n\r\n%s", tt.client, len(body), body)
				c := r.dial(request)
				up := r.asked(0)
				r.seen(up)
				r.write(up, jsonHead+tt.upstream+"\r\n{}")
				r.seen(c)
				if got, want := r.closed(c), tt.client != ""; got != want {
					t.Errorf("client's: got closed %v, want %v", got, want)
				}
				if got, want := r.closed(up), tt.upstream != ""; got != want {
					t.Errorf("upstream's: got closed %v, want %v", got, want)
				}
			})
		})
	}
}

// G15: an event stream is known by its media type, in any case, whatever its parameters, or by what
// it begins with if the type is none that a stream might not have.
func TestMediaTypes(t *testing.T) {
	for contentType, events := range map[string]bool{
		"text/event-stream":               true,
		"Text/Event-Stream":               true,
		"text/event-stream;charset=utf-8": true,
		"text/event-stream ; x":           true,
		"text/event-streamX":              false,
		"text/event-stream, text/html":    false,
		"application/json":                true, // it begins as one
		"text/html":                       false,
	} {
		atRig(t, 1, func(r *rig) {
			c := r.ask(ask)
			up := r.asked(0)
			r.seen(up)
			r.write(up, "HTTP/1.1 200 OK\r\nContent-Type: "+contentType+"\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n1\r\n\n\r\n0\r\n\r\n")
			got := r.seen(c)
			if !strings.Contains(got, "Content-Type: "+contentType+"\r\n") {
				t.Errorf("%s: got %q, want it to pass", contentType, got)
			}
			// A stream that ends without [DONE] is told so, anything else is over at its end (G4).
			if has(got, "X-Accel-Buffering") != events || strings.Contains(got, `"error"`) != events {
				t.Errorf("%s: got %q, want an event stream: %v", contentType, got, events)
			}
		})
	}
}

// G15: what a body begins with is known by its first field, wherever that is cut.
func TestSniffCut(t *testing.T) {
	for _, body := range []string{"\xef\xbb\xbfdata: 1\n\n", "event: x\ndata: 1\n\n", "\r\n: hi\n\ndata: 1\n\n"} {
		for cut := 1; cut < len("\xef\xbb\xbfdata:"); cut++ {
			atRig(t, 1, func(r *rig) {
				c := r.ask(ask)
				up := r.asked(0)
				r.seen(up)
				r.write(up, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
				for _, piece := range []string{body[:cut], body[cut:]} {
					r.write(up, fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece))
				}
				r.write(up, "0\r\n\r\n")
				if got := r.seen(c); !has(got, "X-Accel-Buffering") || !strings.Contains(got, `"error"`) {
					t.Errorf("%q cut at %d: got %q, want an event stream", body, cut, got)
				}
			})
		}
	}
}

// An upstream's own fields, and its key, replace the client's of the same name, in any case and on any line.
func TestConfiguredFields(t *testing.T) {
	for _, over := range []string{"http", "https", "h2"} {
		for _, key := range []string{"", "operator"} {
			t.Run(over+key, func(t *testing.T) {
				got := make(chan http.Header, 1)
				url := gatewayTo(t, over, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }), upstream.Config{
					Key: key,
					Headers: []upstream.Field{
						{Name: "x-team", Value: "infra"}, {Name: "X-Two", Value: "a"}, {Name: "x-two", Value: "b"}, {Name: "User-Agent", Value: "weir"},
					},
				})
				r, err := http.NewRequest("POST", url, strings.NewReader(`{"model":"m"}`))
				if err != nil {
					t.Fatal(err)
				}
				r.Header = http.Header{
					"X-TEAM": {"mine", "ours"}, "x-team": {"theirs"}, "X-Two": {"c"}, "X-Other": {"d", "e"},
					"User-Agent": {"client"}, "Authorization": {"Bearer client"},
				}
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				want := http.Header{"X-Team": {"infra"}, "X-Two": {"a", "b"}, "X-Other": {"d", "e"}, "User-Agent": {"weir"}, "Authorization": nil}
				if key != "" {
					want["Authorization"] = []string{"Bearer operator"}
				}
				head := <-got
				for name, values := range want {
					if !slices.Equal(head[name], values) {
						t.Errorf("%s: got %q, want %q", name, head[name], values)
					}
				}
			})
		}
	}
}
