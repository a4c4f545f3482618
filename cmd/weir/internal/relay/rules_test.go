package relay

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"weir"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/policy"
)

// ruled gives the model of a rig rules.
func (r *rig) ruled(s policy.Source) {
	r.Helper()
	p, problems := policy.Compile(s)
	if problems != nil {
		r.Fatal(problems)
	}
	r.model.Request, r.model.Event, r.model.Response = p.Request, p.Event, p.Response
}

var requestRules = policy.Source{
	Merge: []byte(`{"temperature":0.7}`),
	Patch: []byte(`[{"op":"test","path":"/stream","value":true},{"op":"replace","path":"/max_tokens","value":512}]`),
}

// bodyOf is the body of a request or a response as it came on a wire.
func (r *rig) bodyOf(wire string) string {
	r.Helper()
	in := bufio.NewReader(strings.NewReader(wire))
	var body io.Reader
	if strings.HasPrefix(wire, "HTTP/") {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			r.Fatalf("%v in %q", err, wire)
		}
		body = res.Body
	} else {
		req, err := http.ReadRequest(in)
		if err != nil {
			r.Fatalf("%v in %q", err, wire)
		}
		body = req.Body
	}
	text, err := io.ReadAll(body)
	if err != nil {
		r.Fatalf("%v in %q", err, wire)
	}
	return string(text)
}

// G9, G1: a request reaches its upstream with the changes of the model's rules
// and no others, whatever its length and however it arrives.
func TestRequestRules(t *testing.T) {
	for _, size := range []int{0, patchedInline, gatherLimit, 300 << 10} {
		for _, pieces := range []int{1, 7} {
			t.Run(fmt.Sprintf("%d bytes in %d pieces", size, pieces), func(t *testing.T) {
				atRig(t, 1, func(r *rig) {
					r.ruled(requestRules)
					text := strings.Repeat("x\\u00e9 ", size/8)
					body := `{ "max_tokens":9e9, "model":"m","messages":[{"content":"` + text + `"}], "n":1.0,"stream":true }`
					want := `{ "max_tokens":512, "model":"m","messages":[{"content":"` + text + `"}], "n":1.0,"stream":true,"temperature":0.7 }`
					c := r.dial(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(body)))
					for i := range pieces {
						r.write(c, body[len(body)*i/pieces:len(body)*(i+1)/pieces])
						r.seen(c)
					}
					up := r.asked(0)
					if up == nil {
						t.Fatalf("no upstream was asked: %q", r.seen(c))
					}
					if got := r.bodyOf(r.seen(up)); got != want {
						t.Errorf("got a request of %d bytes that begins with %.100q and ends in %.50q, want one of %d", len(got), got, got[max(0, len(got)-50):], len(want))
					}
				})
			})
		}
	}
}

// A request that the rules do not fit gets 400 and asks no upstream.
func TestUnfitRequest(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	for _, tt := range []struct{ name, body, status, want string }{
		{"test", `{"model":"m","stream":false,"max_tokens":1}`, "400", "The request does not fit the rules of the model `m`: request.patch[0]: test /stream: the value is different."},
		{"test, long", `{"model":"m","x":"` + long + `","stream":false,"max_tokens":1}`, "400", "request.patch[0]: test /stream: the value is different."},
		{"absent", `{"model":"m","stream":true}`, "400", "request.patch[1]: replace /max_tokens: there is no such value."},
		{"twice", `{"model":"m","stream":true,"max_tokens":1,"max_tokens":2}`, "400", "request.patch[1]: replace /max_tokens: an object on the path has two members of that name."},
		{"another case", `{"model":"m","stream":true,"max_tokens":1,"Max_Tokens":99999}`, "400", "request.patch[1]: replace /max_tokens: an object on the path has a member of that name in another case."},
		{"another case, escaped, and merged", `{"model":"m","stream":true,"max_tokens":1,"\u0054emperature":2}`, "400", "request.merge: /temperature: an object on the path has a member of that name in another case."},
		{"garbage that the relay does not see", `{"model":"m","stream":true,"max_tokens":01}`, "400", "We could not parse the JSON body"},
		{"too deep", `{"model":"m","x":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`, "400", "more than 512 arrays and objects"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atRig(t, 1, func(r *rig) {
				r.ruled(requestRules)
				got := r.seen(r.ask(tt.body))
				if !strings.HasPrefix(got, "HTTP/1.1 "+tt.status) || !strings.Contains(got, tt.want) {
					t.Errorf("got %s, want %s and %q", got, tt.status, tt.want)
				}
				if up := r.asked(0); up != nil {
					t.Errorf("the upstream was asked: %q", r.seen(up))
				}
			})
		})
	}
	atRig(t, 1, func(r *rig) {
		r.ruled(policy.Source{Patch: []byte(`[{"op":"replace","path":"","value":[1]}]`)})
		if got := r.seen(r.ask(ask)); !strings.HasPrefix(got, "HTTP/1.1 500") {
			t.Errorf("got %s for rules that make no request, want 500", got)
		}
	})
	atRig(t, 1, func(r *rig) {
		r.ruled(requestRules)
		body := "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b--\r\n"
		c := r.dial(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		if got := r.seen(c); !strings.HasPrefix(got, "HTTP/1.1 400") || !strings.Contains(got, "send the request as JSON, or ask for a model without such rules") {
			t.Errorf("got %s for a form, want 400", got)
		}
	})
}

// What is kept while a request is gathered and patched counts.
func TestRulesWithoutRoom(t *testing.T) {
	for _, room := range []int64{100 << 10, 300 << 10} { // not for the body; not for its change
		atRigKeeping(t, 1, room, func(r *rig) {
			r.ruled(requestRules)
			got := r.seen(r.ask(`{"model":"m","x":"` + strings.Repeat("x", 200<<10) + `","stream":true,"max_tokens":1}`))
			if !strings.HasPrefix(got, "HTTP/1.1 503") {
				t.Errorf("got %s, want 503", got)
			}
		})
	}
}

// A patched request is kept for another attempt like any other.
func TestRulesAndFailover(t *testing.T) {
	atRig(t, 2, func(r *rig) {
		r.ruled(requestRules)
		r.ask(`{"model":"m","stream":true,"max_tokens":1,"x":"` + strings.Repeat("x", 100<<10) + `"}`)
		first := r.asked(0)
		sent := r.bodyOf(r.seen(first))
		_ = first.Close()
		second := r.asked(1)
		if second == nil {
			t.Fatal("the second upstream was not asked")
		}
		if got := r.bodyOf(r.seen(second)); got != sent || !strings.Contains(got, `"max_tokens":512`) {
			t.Errorf("got %d bytes, want the %d that the first upstream was sent", len(got), len(sent))
		}
	})
}

var eventRules = policy.Source{Event: []byte(`[{"op":"test","path":"/model","value":"up"},{"op":"replace","path":"/model","value":"small"}]`)}

const (
	upstreamEvents = "data: {\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"H\\u00e9\"}}]}\n\n" +
		": a comment\r\n\r\n" +
		"event: x\r\ndata: {\"model\": \"up\" ,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"é\"}}]}\r\n\r\n" +
		"data: {\"model\":\"other\",\"choices\":[]}\n\n" +
		"data: {\"model\":\ndata: \"up\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" +
		"data: [DONE]\n\n"
	head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
)

var clientEvents = strings.NewReplacer(`"up"`, `"small"`).Replace(upstreamEvents)

// G9: events are changed, each when it is whole, wherever the upstream's pieces
// are cut. Those that the rules do not fit pass as they are.
func TestEventRules(t *testing.T) {
	for cut := range len(upstreamEvents) {
		atRig(t, 1, func(r *rig) {
			r.ruled(eventRules)
			c := r.ask(ask)
			up := r.asked(0)
			r.write(up, head+upstreamEvents[:cut])
			got := r.seen(c)
			r.write(up, upstreamEvents[cut:])
			_ = up.Close()
			got += r.seen(c)
			if body := r.bodyOf(got); body != clientEvents {
				t.Fatalf("cut at %d: got %q, want %q", cut, body, clientEvents)
			}
		})
	}
}

// A stream that is called otherwise is one (G15).
func TestEventRulesUnderAnotherName(t *testing.T) {
	atRig(t, 1, func(r *rig) {
		r.ruled(eventRules)
		c := r.ask(ask)
		up := r.asked(0)
		r.write(up, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"+upstreamEvents)
		_ = up.Close()
		if body := r.bodyOf(r.seen(c)); body != clientEvents {
			t.Errorf("got %q, want %q", body, clientEvents)
		}
	})
}

// An event is not held back for the next one.
func TestEventRulesHoldNothingBack(t *testing.T) {
	atRig(t, 1, func(r *rig) {
		r.ruled(eventRules)
		c := r.ask(ask)
		up := r.asked(0)
		first, rest, _ := strings.Cut(upstreamEvents, "\n\n")
		r.write(up, head+first+"\n\n")
		if got := r.seen(c); !strings.Contains(got, `{"model":"small",`) {
			t.Errorf("got %q, want the first event", got)
		}
		r.write(up, rest[:20])
		if got := r.seen(c); got == "" {
			t.Error("the comment did not pass")
		}
	})
}

// The last event of a complete response may lack its end; what is left of one
// that died is not passed on, and the error behind it is not broken by it.
func TestEventRulesAtTheEnd(t *testing.T) {
	atRig(t, 1, func(r *rig) {
		r.ruled(eventRules)
		c := r.ask(ask)
		up := r.asked(0)
		const last = "data: {\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}"
		r.write(up, eventHead+inChunks(last)+lastChunk)
		if got := r.bodyOf(r.seen(c)); got != strings.Replace(last, "up", "small", 1) {
			t.Errorf("got %q, want the event", got)
		}
	})
	atRig(t, 1, func(r *rig) {
		r.ruled(eventRules)
		c := r.ask(ask)
		up := r.asked(0)
		first, _, _ := strings.Cut(upstreamEvents, ": a comment")
		r.write(up, head+first+"data: {\"model\":\"up\"")
		_ = up.Close()
		got := r.bodyOf(r.seen(c))
		rest, ok := strings.CutPrefix(got, strings.Replace(first, "up", "small", 1))
		if !ok || !strings.HasPrefix(rest, `data: {"error":`) || strings.Count(rest, "\n\n") != 1 {
			t.Errorf("got %q, want the first event and an error", got)
		}
	})
}

// limits.event bounds what is gathered (G15).
func TestEventRulesOfLongEvents(t *testing.T) {
	atRig(t, 1, func(r *rig) {
		r.gateway.MaxEvent = 1000
		r.ruled(eventRules)
		c := r.ask(ask)
		up := r.asked(0)
		first, _, _ := strings.Cut(upstreamEvents, ": a comment")
		r.write(up, head+first+"data: {\"model\":\""+strings.Repeat("x", 900))
		before := r.seen(c)
		r.write(up, strings.Repeat("x", 200))
		got := r.bodyOf(before + r.seen(c))
		if want := "The upstream sent an event that is larger than limits.event"; !strings.Contains(strings.ToLower(got), strings.ToLower(want)) || strings.Contains(got, "xxx") {
			t.Errorf("got %q, want an error: %s", got, want)
		}
		if r.record == nil || r.record.Err != errLongEvent {
			t.Errorf("got record %+v, want %v", r.record, errLongEvent)
		}
	})
	atRig(t, 1, func(r *rig) { // without rules they are of any length
		r.gateway.MaxEvent = 1000
		c := r.ask(ask)
		up := r.asked(0)
		first, _, _ := strings.Cut(upstreamEvents, ": a comment")
		long := "data: {\"x\":\"" + strings.Repeat("x", 5000) + "\"}\n\n"
		r.write(up, head+first+long+"data: [DONE]\n\n")
		_ = up.Close()
		if got := r.bodyOf(r.seen(c)); !strings.Contains(got, long) {
			t.Errorf("got %q, want all of it", got)
		}
	})
}

// Ollama's events are lines.
func TestEventRulesOfLines(t *testing.T) {
	endpoint := endpointOf("/api/chat")
	const lines = "{\"model\":\"up\",\"message\":{\"content\":\"H\"},\"done\":false}\n{\"model\": \"up\",\"message\":{\"content\":\"\"},\"done\":true}\n"
	for cut := range len(lines) {
		atRig(t, 1, func(r *rig) {
			r.ruled(eventRules)
			r.model.Targets[0].Upstream.Dialects = []dialect.Dialect{endpoint.Dialect}
			r.model.Plan(nil)
			r.srv.Handler.(*weir.Mux).HandleLoop("/api/chat", r.gateway.At(endpoint))
			body := `{"model":"m","messages":[]}`
			c := r.dial(fmt.Sprintf("POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
			up := r.asked(0)
			if up == nil {
				t.Fatalf("no upstream was asked: %s", r.seen(c))
			}
			r.write(up, "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"+lines[:cut])
			got := r.seen(c)
			r.write(up, lines[cut:])
			_ = up.Close()
			got += r.seen(c)
			if want := strings.ReplaceAll(lines, "up", "small"); r.bodyOf(got) != want {
				t.Fatalf("cut at %d: got %q, want %q", cut, got, want)
			}
		})
	}
}

// A client that disconnects while its request is patched leaves nothing behind,
// and asks no upstream once that is known.
func TestDisconnectWhilePatched(t *testing.T) {
	for _, reset := range []bool{false, true} {
		atRig(t, 1, func(r *rig) {
			r.ruled(requestRules)
			c := r.ask(`{"model":"m","stream":true,"max_tokens":1,"x":"` + strings.Repeat("x", 1<<20) + `"}`)
			if reset {
				c.Reset()
			} else {
				_ = c.Close()
			}
			if up := r.asked(0); up != nil && !r.closed(up) {
				r.seen(up)
				if !r.closed(up) {
					t.Error("the call continues after its client has disconnected")
				}
			}
		})
	}
}

// A request with a content coding is decoded first.
func TestRulesOfCodedRequests(t *testing.T) {
	for _, size := range []int{0, 200 << 10} {
		atRig(t, 1, func(r *rig) {
			r.ruled(requestRules)
			text := strings.Repeat("x", size)
			c := r.coded("gzip", gzipped(t, `{"model":"m","stream":true,"max_tokens":1,"x":"`+text+`"}`))
			up := r.asked(0)
			if up == nil {
				t.Fatalf("no upstream was asked: %s", r.seen(c))
			}
			if got, want := r.bodyOf(r.seen(up)), `{"model":"m","stream":true,"max_tokens":512,"x":"`+text+`","temperature":0.7}`; got != want {
				t.Errorf("got %d bytes, %.100q, want %d", len(got), got, len(want))
			}
		})
	}
}
