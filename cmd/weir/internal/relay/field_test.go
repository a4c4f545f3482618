package relay

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/weirtest"
)

// The inputs of this file are reports from the field: what upstreams and
// clients really send.

const (
	choices = "data: {\"choices\":[]}\n\n"
	content = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n"
	role    = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
	done    = "data: [DONE]\n\n"
	spare   = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"spare\"}}]}\n\n" + done
)

// blameless checks that the request ended well and that nobody is blamed.
func (r *rig) blameless() {
	r.Helper()
	synctest.Wait()
	if r.record == nil || r.record.Err != nil || r.record.Left {
		r.Errorf("got the record %+v, want one without an error", r.record)
	}
	for i := range r.model.Targets {
		if !r.model.Targets[i].Upstream.Standing.Available(time.Now()) {
			r.Errorf("upstream %d is blamed", i)
		}
	}
}

// A response is complete when its end mark has come, whatever the
// connection does then, or when each choice has its finish_reason and the body
// ended properly. Nothing is added to it.
func TestFieldEnds(t *testing.T) {
	const finish = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n"
	proper := func(r *rig, up *weirtest.Client) { r.write(up, lastChunk) }
	fin := func(_ *rig, up *weirtest.Client) { up.Close() }
	rst := func(_ *rig, up *weirtest.Client) { up.Reset() }
	never := func(*rig, *weirtest.Client) { time.Sleep(2 * endWait) }
	for _, tt := range []struct {
		name, body string
		end        func(r *rig, up *weirtest.Client)
		complete   bool
	}{
		{"one line feed", choices + "data: [DONE]\n", proper, true},
		{"no line feed", choices + "data: [DONE]", proper, true},
		{"FIN before the last chunk", choices + done, fin, true},
		{"RST before the last chunk", choices + done, rst, true},
		{"the body never ends", choices + done, never, true},
		{"white space behind the mark", choices + "data: [DONE] \n\n", fin, true},
		{"CRLF", strings.ReplaceAll(choices+done, "\n", "\r\n"), rst, true},
		{"something behind the mark's word", content + "data: [DONE]x\n\n", proper, false},
		{"a part of the mark", content + "data: [DON", proper, false},
		{"no line feed, and FIN", content + "data: [DONE]", fin, false},
		{"one line feed, and RST", content + "data: [DONE]\n", rst, true},
		{"finish_reason", finish, proper, true},
		{"finish_reason, and FIN", finish, fin, false},
		{"finish_reason of one of two choices", finish + strings.Replace(content, `"index":0`, `"index":1`, 1), proper, false},
		{"usage behind the finish_reason", finish + "data: {\"choices\":[],\"usage\":{\"total_tokens\":1}}\n\n", proper, true},
		{"no finish_reason", content, proper, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atRig(t, 1, func(r *rig) {
				r.breakers()
				c := r.ask(ask)
				up := r.asked(0)
				r.write(up, eventHead+inChunks(tt.body))
				r.seen(up)
				tt.end(r, up)
				got, whole := bodyOfStream(t, r.seen(c))
				if !whole || !strings.HasPrefix(got, tt.body) {
					t.Errorf("got %q, ended properly %v, want %q", got, whole, tt.body)
				}
				if rest := strings.TrimPrefix(got, tt.body); tt.complete && rest != "" || !tt.complete && !strings.Contains(rest, `data: {"error":`) {
					t.Errorf("got %q behind the upstream's bytes, complete is %v", rest, tt.complete)
				}
				if tt.complete {
					r.blameless()
				} else if r.record.Err == nil {
					t.Error("got no error in the record")
				}
			})
		})
	}
}

// A stream with a content coding passes as it is, and its upstream is
// in good standing.
func TestFieldCoded(t *testing.T) {
	var coded bytes.Buffer
	z := gzip.NewWriter(&coded)
	_, _ = z.Write([]byte(choices + done))
	_ = z.Close()
	head := strings.Replace(eventHead, "\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n", 1)
	atRig(t, 1, func(r *rig) {
		r.breakers()
		var up *weirtest.Client
		for range 7 {
			c := r.ask(ask)
			if conn := r.asked(0); conn != nil {
				up = conn
			}
			r.seen(up)
			r.write(up, head+inChunks(coded.String())+lastChunk)
			got := r.seen(c)
			if body, whole := bodyOfStream(t, got); body != coded.String() || !whole || !strings.Contains(got, "Content-Encoding: gzip\r\n") {
				t.Errorf("got %q, want the coded stream", got)
			}
			r.blameless()
			c.Close()
		}
	})
}

// Behind an id the keep-alive has no empty line, which OpenAI's client
// for Python would take for an event.
func TestFieldIDs(t *testing.T) {
	for sent, want := range map[string]string{
		content:              ": keep-alive\n\n",
		"id: 1\n" + content:  ": keep-alive\n",
		"id:1\r\n" + content: ": keep-alive\n",
	} {
		atRig(t, 1, func(r *rig) {
			r.model.Keepalive = time.Second
			c := r.ask(ask)
			up := r.asked(0)
			r.write(up, eventHead+inChunks(sent))
			r.seen(c)
			time.Sleep(1500 * time.Millisecond)
			if got := r.seen(c); got != inChunks(want) {
				t.Errorf("got %q behind %q, want %q", got, sent, want)
			}
			r.write(up, inChunks(done)+lastChunk)
			if got := r.seen(c); got != inChunks(done)+lastChunk {
				t.Errorf("got %q, want the end", got)
			}
		})
	}
}

// An error before anything has gone out is taken to another target,
// wherever it is; with no other one it is a response with a status, or passes as
// it is if it came as one. What is empty, null or false is not an error.
func TestFieldErrorsBeforeTheFirst(t *testing.T) {
	const none = `{"error":{"message":"none"}}`
	stream := func(events ...string) string { return eventHead + inChunks(events...) + lastChunk }
	unary := sized("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", none)
	for _, tt := range []struct {
		name, sent, pass string
		hold             int
		isError          bool
		status           int // 0 = 200
	}{
		{"an object that is an error", stream("data: {\"object\":\"error\",\"message\":\"busy\",\"code\":503}\n\n", done), `{"error":{"message":"busy","type":"server_error","param":null,"code":null}}`, 1, true, 503},
		{"behind a role", stream(role, "data: {\"error\":{\"message\":\"x\"}}\n\n"), `{"error":{"message":"x"}}`, 1, true, 502},
		{"behind a role, three held", stream(role, "data: {\"error\":{\"message\":\"x\"}}\n\n"), `{"error":{"message":"x"}}`, 3, true, 502},
		{"behind content, three held", stream(content, "data: {\"error\":{\"message\":\"x\"}}\n\n"), `{"error":{"message":"x"}}`, 3, true, 502},
		{"JSON in place of a stream", unary, none, 1, true, 0},
		{"an empty string", stream(strings.Replace(content, `{"choices"`, `{"error":"","choices"`, 1), done), strings.Replace(content, `{"choices"`, `{"error":"","choices"`, 1) + done, 1, false, 0},
		{"an empty object", stream(strings.Replace(content, `{"choices"`, `{"error":{},"choices"`, 1), done), strings.Replace(content, `{"choices"`, `{"error":{},"choices"`, 1) + done, 1, false, 0},
		{"false", stream(strings.Replace(content, `{"choices"`, `{"error":false,"choices"`, 1), done), strings.Replace(content, `{"choices"`, `{"error":false,"choices"`, 1) + done, 1, false, 0},
		{"null", stream(strings.Replace(content, `{"choices"`, `{"error":null,"choices"`, 1), done), strings.Replace(content, `{"choices"`, `{"error":null,"choices"`, 1) + done, 1, false, 0},
		{"a completion in place of a stream", sized("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", `{"choices":[]}`), `{"choices":[]}`, 1, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range []int{1, 2} {
				atRig(t, n, func(r *rig) {
					r.model.Hold = Hold{Events: tt.hold, Wait: time.Minute}
					c := r.ask(ask)
					r.write(r.asked(0), tt.sent)
					want, status := tt.pass, cmp.Or(tt.status, 200)
					if n == 2 && tt.isError {
						want, status = spare, 200
						other := r.asked(1)
						if other == nil {
							t.Fatalf("the other was not tried: got %q", r.seen(c))
						}
						r.write(other, eventHead+inChunks(spare)+lastChunk)
					}
					got := r.seen(c)
					if body := bodyOf(t, got); body != want || !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", status)) {
						t.Errorf("%d targets: got %q, want %d %q", n, got, status, want)
					}
				})
			}
		})
	}
}

// The whole time bounds the head of a response that is not a stream;
// behind it idle counts.
func TestFieldWhole(t *testing.T) {
	atRig(t, 1, func(r *rig) {
		limits := &r.model.Targets[0].Upstream.Timeouts
		limits.FirstEvent, limits.Idle, limits.Whole = time.Second, time.Minute, 10*time.Minute
		c := r.ask(`{"model":"m"}`)
		up := r.asked(0)
		time.Sleep(9 * time.Minute)
		r.write(up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
		time.Sleep(50 * time.Second)
		r.write(up, "{}")
		r.wantParts(r.seen(c), 200, "\r\n\r\n{}")
	})
}

// Weir does not make x-should-retry up; an upstream's own passes.
func TestFieldShouldRetry(t *testing.T) {
	for _, own := range []string{"", "X-Should-Retry: true\r\n"} {
		atRig(t, 1, func(r *rig) {
			c := r.ask(ask)
			r.write(r.asked(0), sized("HTTP/1.1 429 No\r\nRetry-After: 3\r\n"+own, "busy"))
			got := r.seen(c)
			r.wantParts(got, 429, "Retry-After: 3\r\n")
			if has(got, "X-Should-Retry") != (own != "") {
				t.Errorf("got %q for an upstream with %q", got, own)
			}
		})
	}
}

// A head beyond a limit is valid HTTP, and the reason says so.
func TestFieldLargeHead(t *testing.T) {
	for _, fields := range []string{"X-Large: " + strings.Repeat("x", 20<<10) + "\r\n", strings.Repeat("X-Many: 1\r\n", 110)} {
		atRig(t, 1, func(r *rig) {
			c := r.ask(ask)
			r.write(r.asked(0), "HTTP/1.1 200 OK\r\n"+fields+"\r\n")
			r.wantParts(r.seen(c), 502, "The head of the upstream's response is beyond a limit of the gateway: ")
		})
	}
}

// An error that the upstream has sent in the stream is not doubled,
// and the body ends.
func TestFieldErrorInStream(t *testing.T) {
	const oops = "data: {\"error\":{\"message\":\"x\"}}\n\n"
	for name, end := range map[string]func(r *rig, up *weirtest.Client){
		"a proper end": func(r *rig, up *weirtest.Client) { r.write(up, lastChunk) },
		"RST":          func(_ *rig, up *weirtest.Client) { up.Reset() },
		"the mark":     func(r *rig, up *weirtest.Client) { r.write(up, inChunks(done)+lastChunk) },
		"silence":      func(*rig, *weirtest.Client) { time.Sleep(2 * endWait) },
		"a total time": func(r *rig, _ *weirtest.Client) { time.Sleep(time.Hour) },
	} {
		atRig(t, 2, func(r *rig) {
			if name == "a total time" {
				r.model.Targets[0].Upstream.Timeouts.Total = endWait / 2
			}
			c := r.ask(ask)
			up := r.asked(0)
			r.write(up, eventHead+inChunks(content))
			r.seen(c)
			r.write(up, inChunks(oops))
			if got := r.seen(c); got != inChunks(oops) {
				t.Errorf("%s: got %q, want the error at once", name, got)
			}
			end(r, up)
			if got := r.seen(c); strings.Contains(got, "error") || !strings.HasSuffix(got, lastChunk) {
				t.Errorf("%s: got %q behind the error, want the end", name, got)
			}
			if r.record.Err == nil {
				t.Errorf("%s: got no error in the record", name)
			}
		})
	}
}

// A pooled connection that answers 408 and closes, or that closes
// without a response, is not an answer to the request: it is sent again, which
// is not counted.
func TestFieldStaleConnection(t *testing.T) {
	const timeout = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
	for _, size := range []int{10, 50_000} { // longer ones go out on fresh connections
		for name, act := range map[string]func(r *rig, up *weirtest.Client){
			"408":    func(r *rig, up *weirtest.Client) { r.write(up, timeout); up.Close() },
			"closed": func(_ *rig, up *weirtest.Client) { up.Close() },
		} {
			t.Run(fmt.Sprint(name, "/", size), func(t *testing.T) {
				atRig(t, 1, func(r *rig) {
					r.breakers()
					body := padded(`{"model":"m",`, size, `}`)
					c := r.ask(`{"model":"m"}`)
					up := r.asked(0)
					r.write(up, sized("HTTP/1.1 200 OK\r\n", "{}"))
					r.seen(c)
					r.seen(up)
					r.write(c, fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
					if got := r.seen(up); !strings.HasSuffix(got, body) {
						t.Fatalf("got %d bytes on the pooled connection, want the request", len(got))
					}
					act(r, up)
					fresh := r.asked(0)
					if fresh == nil {
						t.Fatalf("there is no fresh connection: got %q", r.seen(c))
					}
					if got := r.seen(fresh); !strings.HasSuffix(got, body) {
						t.Errorf("got %d bytes on the fresh connection, want the request", len(got))
					}
					r.write(fresh, sized("HTTP/1.1 200 OK\r\n", "fine"))
					r.wantParts(r.seen(c), 200, "X-Weir-Attempts: 1\r\n", "\r\n\r\nfine")
					r.blameless()
				})
			})
		}
	}
	// On a fresh connection it is the response.
	atRig(t, 1, func(r *rig) {
		c := r.ask(ask)
		r.write(r.asked(0), timeout)
		r.wantParts(r.seen(c), 408)
	})
}

// A model may have other statuses after which another target is
// tried.
func TestFieldRetryOn(t *testing.T) {
	for status, elsewhere := range map[int]bool{401: true, 404: true, 400: false, 503: false} {
		atRig(t, 2, func(r *rig) {
			r.model.RetryOn = []Statuses{{401, 408}}
			c := r.ask(ask)
			r.write(r.asked(0), sized(fmt.Sprintf("HTTP/1.1 %d No\r\n", status), "no"))
			other := r.asked(1)
			if (other != nil) != elsewhere {
				t.Fatalf("%d: another target was tried: %v, want %v", status, other != nil, elsewhere)
			}
			if other != nil {
				r.write(other, eventHead+inChunks(spare)+lastChunk)
				status = 200
			}
			r.wantParts(r.seen(c), status)
		})
	}
}

// A line that only passes may be of any length, and is not gathered.
func TestFieldLongLine(t *testing.T) {
	atRig(t, 1, func(r *rig) {
		r.gateway.MaxEvent = 100_000
		c := r.ask(ask)
		up := r.asked(0)
		r.write(up, eventHead+inChunks(content))
		n := len(bodyOf(t, r.seen(c)))
		line := "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + strings.Repeat("x", 50_000)
		r.write(up, inChunks(line))
		n += strings.Count(r.seen(c), "x")
		for range 20 {
			r.write(up, inChunks(strings.Repeat("x", 50_000)))
			n += strings.Count(r.seen(c), "x")
			if kept := r.kept(); kept > 100_000 {
				t.Fatalf("got %d bytes kept, want none of a line that passes", kept)
			}
		}
		r.write(up, inChunks("\"}}]}\n\n"+done)+lastChunk)
		if got := r.seen(c); !strings.HasSuffix(got, lastChunk) || n < 21*50_000 {
			t.Errorf("got %d bytes and %q, want all of the line and the end", n, got)
		}
		r.blameless()
	})
}

// A response that is not a stream may take longer than the silence after which
// a keep-alive is due: that would make it one.
func TestNoKeepAliveBeforeOtherBodies(t *testing.T) {
	for _, head := range []string{"Content-Type: text/html\r\n", "Content-Type: application/json\r\n", "Content-Type: text/event-stream\r\nContent-Encoding: br\r\n"} {
		atRig(t, 1, func(r *rig) {
			r.model.Keepalive = time.Second
			c := r.ask(ask)
			up := r.asked(0)
			r.write(up, "HTTP/1.1 200 OK\r\n"+head+"Content-Length: 4\r\n\r\n")
			time.Sleep(5 * time.Second)
			if got := r.seen(c); got != "" {
				t.Errorf("got %q before the body", got)
			}
			r.write(up, "{}{}")
			if got := r.seen(c); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.HasSuffix(got, "\r\n\r\n{}{}") && bodyOf(t, got) != "{}{}" {
				t.Errorf("got %q, want the body as it came", got)
			}
		})
	}
}
