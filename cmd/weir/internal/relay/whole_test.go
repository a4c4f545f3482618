package relay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/policy"
)

var responseRules = policy.Source{Response: []byte(`[{"op":"test","path":"/model","value":"up"},{"op":"replace","path":"/model","value":"small"}]`)}

const (
	wholeAsk  = `{"model":"m","messages":[]}`
	wholeHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nETag: W/\"1\"\r\n"
)

// G9: a response that is not a stream is changed when it is whole, however long
// it is and however it arrives; what the rules do not fit passes as it is.
func TestResponseRules(t *testing.T) {
	for _, size := range []int{0, patchedInline, 300 << 10} {
		text := strings.Repeat("x\\u00e9 ", size/8)
		body := `{ "id":"1", "model": "up" ,"choices":[{"message":{"content":"` + text + `"}}], "n":1.0 }`
		for _, tt := range []struct{ name, sent, want string }{
			{"changed", body, strings.Replace(body, `"up"`, `"small"`, 1)},
			{"another model's", strings.Replace(body, "up", "other", 1), strings.Replace(body, "up", "other", 1)},
			{"not JSON", body + "}", body + "}"},
		} {
			for _, chunked := range []bool{false, true} {
				for _, pieces := range []int{1, 5} {
					t.Run(fmt.Sprintf("%s, %d bytes, chunked %v, in %d pieces", tt.name, size, chunked, pieces), func(t *testing.T) {
						atRig(t, 1, func(r *rig) {
							r.ruled(responseRules)
							c := r.ask(wholeAsk)
							up := r.asked(0)
							if chunked {
								r.write(up, wholeHead+"Transfer-Encoding: chunked\r\n\r\n")
							} else {
								r.write(up, fmt.Sprintf("%sContent-Length: %d\r\n\r\n", wholeHead, len(tt.sent)))
							}
							for i := range pieces {
								if got := r.seen(c); got != "" {
									t.Fatalf("got %q before the response is whole", got)
								}
								piece := tt.sent[len(tt.sent)*i/pieces : len(tt.sent)*(i+1)/pieces]
								if chunked {
									piece = inChunks(piece)
								}
								r.write(up, piece)
							}
							if chunked {
								r.write(up, lastChunk)
							}
							got := r.seen(c)
							r.wantParts(got, 200, fmt.Sprintf("Content-Length: %d\r\n", len(tt.want)), "X-Weir-Upstream: up0\r\n")
							if body := r.bodyOf(got); body != tt.want {
								t.Errorf("got %.200q, want %.200q", body, tt.want)
							}
							if changed := tt.sent != tt.want; strings.Contains(got, "ETag") == changed {
								t.Errorf("got %.500q, want a tag of the body: %v", got, !changed)
							}
							if rec := r.record; rec.Err != nil || rec.Status != 200 || rec.Bytes != int64(len(tt.want)) {
								t.Errorf("got record %+v", rec)
							}
						})
					})
				}
			}
		}
	}
}

// What is not a whole response in JSON passes as it comes: errors, other media,
// content codings.
func TestResponseRulesDoNotApply(t *testing.T) {
	const body = `{"model":"up"}`
	for _, head := range []string{
		"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n",
		"HTTP/1.1 200 OK\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: x\r\n",
	} {
		atRig(t, 1, func(r *rig) {
			r.ruled(responseRules)
			c := r.ask(wholeAsk)
			up := r.asked(0)
			r.write(up, fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body[:5]))
			got := r.seen(c)
			if !strings.HasSuffix(got, body[:5]) {
				t.Errorf("%q: got %q, want the first piece", head, got)
			}
			r.write(up, body[5:])
			if got += r.seen(c); !strings.HasSuffix(got, "\r\n\r\n"+body) {
				t.Errorf("%q: got %q, want the body", head, got)
			}
		})
	}
	atRig(t, 1, func(r *rig) { // a response without a body
		r.ruled(responseRules)
		c := r.ask(wholeAsk)
		r.write(r.asked(0), "HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\n\r\n")
		r.wantParts(r.seen(c), 204)
	})
}

// A whole response to a request for a stream is one, too.
func TestResponseRulesForAStream(t *testing.T) {
	for _, pieces := range [][]string{{`{"model":"up"}`}, {`{"mod`, `el":"up"}`}, {`{"x":"` + strings.Repeat("x", sniffLimit), strings.Repeat("y", sniffLimit) + `","model":"up"}`}} {
		atRig(t, 1, func(r *rig) {
			r.ruled(responseRules)
			c := r.ask(ask)
			up := r.asked(0)
			r.write(up, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
			for _, p := range pieces {
				r.write(up, inChunks(p))
				r.seen(up)
			}
			r.write(up, lastChunk)
			if got, want := r.bodyOf(r.seen(c)), strings.Replace(strings.Join(pieces, ""), `"up"`, `"small"`, 1); got != want {
				t.Errorf("got %.100q, want %.100q", got, want)
			}
		})
	}
}

// G2, G5, G15: until the response is whole another target can be tried; a limit
// bounds what is gathered.
func TestResponseRulesFail(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		word   string
		sent   string
		wait   time.Duration
	}{
		{"cut", 502, closed, `{"model":`, 0},
		{"silence", 504, silent, `{"model":`, 11 * time.Second},
		{"too large", 502, "larger than limits.event", `{"model":"up","x":"` + strings.Repeat("x", 5000), 0},
	} {
		for _, two := range []bool{false, true} {
			n := 1
			if two {
				n = 2
			}
			atRig(t, n, func(r *rig) {
				r.gateway.MaxEvent = 4 << 10
				r.ruled(responseRules)
				c := r.ask(wholeAsk)
				up := r.asked(0)
				r.write(up, wholeHead+"Content-Length: 9000\r\n\r\n"+tt.sent)
				r.seen(up)
				if time.Sleep(tt.wait); tt.name == "cut" {
					_ = up.Close()
				}
				if two {
					r.write(r.asked(1), sized(wholeHead, `{"model":"up"}`))
					r.wantParts(r.seen(c), 200, `{"model":"small"}`, "X-Weir-Attempts: 2\r\n")
					return
				}
				r.wantParts(r.seen(c), tt.status, tt.word)
			})
		}
	}
}

// A client that disconnects while its response is changed leaves nothing behind.
func TestDisconnectWhileChanged(t *testing.T) {
	atRig(t, 1, func(r *rig) {
		r.ruled(responseRules)
		c := r.ask(wholeAsk)
		up := r.asked(0)
		r.write(up, sized(wholeHead, `{"model":"up","x":"`+strings.Repeat("x", 1<<20)+`"}`))
		_ = c.Close()
		r.seen(up)
	})
}
