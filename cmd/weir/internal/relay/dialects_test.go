package relay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/dialect/known"
	"weir/weirtest"
)

// tongue is a dialect as the tests speak it.
type tongue struct {
	name, path string
	ask        string // a request for a stream
	kind       string // Content-Type of a stream
	preamble   []string
	model      []string // events with substance
	end        string
	broken     string // an upstream's error in the stream
	alive      string // what the client hears meanwhile
	told       string // begins the gateway's own error in a stream
	refusal    string // begins an error of the gateway's
	mark       string // what only a complete stream has
}

var tongues = []tongue{
	{
		name: "openai", path: "/v1/chat/completions",
		ask: `{"model":"m","messages":[],"stream":true}`, kind: "text/event-stream",
		preamble: []string{"data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"},
		model: []string{
			"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"},\"finish_reason\":null}]}\n\n",
			"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"},\"finish_reason\":null}]}\n\n",
		},
		end:    "data: [DONE]\n\n",
		broken: "data: {\"error\":{\"message\":\"oops\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n",
		alive:  ": keep-alive\n\n", told: `data: {"error":{"message":"`,
		refusal: `{"error":{"message":"`, mark: "[DONE]",
	},
	{
		name: "completions", path: "/v1/completions",
		ask: `{"model":"m","prompt":"","stream":true}`, kind: "text/event-stream",
		model:  []string{"data: {\"choices\":[{\"index\":0,\"text\":\"Hel\",\"finish_reason\":null}]}\n\n", "data: {\"choices\":[{\"index\":0,\"text\":\"lo\",\"finish_reason\":null}]}\n\n"},
		end:    "data: [DONE]\n\n",
		broken: "data: {\"error\":{\"message\":\"oops\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n",
		alive:  ": keep-alive\n\n", told: `data: {"error":{"message":"`,
		refusal: `{"error":{"message":"`, mark: "[DONE]",
	},
	{
		name: "responses", path: "/v1/responses",
		ask: `{"model":"m","input":"","stream":true}`, kind: "text/event-stream",
		preamble: []string{
			"event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\",\"model\":\"m\"}}\n\n",
			"event: response.in_progress\ndata: {\"type\":\"response.in_progress\",\"sequence_number\":1,\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\"}}\n\n",
		},
		model: []string{
			"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":2,\"item_id\":\"msg_1\",\"delta\":\"Hel\"}\n\n",
			"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":3,\"item_id\":\"msg_1\",\"delta\":\"lo\"}\n\n",
		},
		end:    "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":4,\"response\":{\"id\":\"resp_1\",\"status\":\"completed\"}}\n\n",
		broken: "event: error\ndata: {\"type\":\"error\",\"sequence_number\":5,\"code\":\"server_error\",\"message\":\"oops\"}\n\n",
		alive:  ": keep-alive\n\n", told: "event: response.failed\n",
		refusal: `{"error":{"message":"`, mark: "response.completed",
	},
	{
		name: "anthropic", path: "/v1/messages",
		ask: `{"model":"m","max_tokens":9,"messages":[],"stream":true}`, kind: "text/event-stream",
		preamble: []string{
			"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"content\":[]}}\n\n",
			"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
			"event: ping\ndata: {\"type\":\"ping\"}\n\n",
		},
		model: []string{
			"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hel\"}}\n\n",
			"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"lo\"}}\n\n",
		},
		end:    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
		broken: "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"oops\"}}\n\n",
		alive:  "event: ping\ndata: {\"type\": \"ping\"}\n\n", told: "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"",
		refusal: `{"type":"error","error":{"type":"`, mark: "message_stop",
	},
	{
		name: "ollama", path: "/api/chat",
		ask: `{"model":"m","messages":[]}`, kind: "application/x-ndjson",
		model: []string{
			"{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"Hel\"},\"done\":false}\n",
			"{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"lo\"},\"done\":false}\n",
		},
		end:    "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n",
		broken: "{\"error\":\"oops\"}\n",
		alive:  "{\"model\":\"m\",\"created_at\":\"2000-01-01T00:00:10Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":false}\n",
		told:   `{"error":"`, refusal: `{"error":"`, mark: `"done":true`,
	},
}

// stream is all events of a good stream.
func (l *tongue) stream() string {
	return strings.Join(l.preamble, "") + strings.Join(l.model, "") + l.end
}

// eachTongue runs a test for each dialect.
func eachTongue(t *testing.T, f func(t *testing.T, l *tongue)) {
	for i := range tongues {
		t.Run(tongues[i].name, func(t *testing.T) { f(t, &tongues[i]) })
	}
}

// inTongue runs f with a gateway for a dialect, in front of n upstreams that
// speak it.
func (l *tongue) atRig(t *testing.T, n int, f func(r *rig)) {
	t.Helper()
	atRig(t, n, func(r *rig) {
		for i := range r.model.Targets {
			r.model.Targets[i].Upstream.Dialects = known.Dialects[:]
		}
		r.model.Plan(nil)
		r.gateway.Models["m"] = r.model
		f(r)
	})
}

func (l *tongue) send(r *rig, body string) *weirtest.Client {
	return r.dial(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", l.path, len(body), body))
}

func (l *tongue) head() string {
	return "HTTP/1.1 200 OK\r\nContent-Type: " + l.kind + "\r\nTransfer-Encoding: chunked\r\n\r\n"
}

// bodyOfStream is what a client got of a stream, and whether it ended properly.
func bodyOfStream(t *testing.T, got string) (body string, whole bool) {
	t.Helper()
	var r received
	r.parse(t, []byte(got))
	return string(r.body), strings.HasSuffix(got, "\r\n0\r\n\r\n")
}

// G2, G22: while the model reads its prompt the client hears something within
// 10 s, in its dialect. The first upstream fails behind the head that went out
// with it, after events that have nothing of the model's, and the client sees
// one clean stream of the second.
func TestPrefill(t *testing.T) {
	for _, fails := range []struct {
		name string
		act  func(r *rig, l *tongue, up *weirtest.Client)
	}{
		{"reset", func(_ *rig, _ *tongue, up *weirtest.Client) { up.Reset() }},
		{"503", func(r *rig, _ *tongue, up *weirtest.Client) { r.write(up, oops) }},
		{"its preamble, and a reset", func(r *rig, l *tongue, up *weirtest.Client) {
			r.write(up, l.head()+inChunks(l.preamble...))
			r.seen(up)
			up.Reset()
		}},
		{"its preamble, and an error", func(r *rig, l *tongue, up *weirtest.Client) {
			r.write(up, l.head()+inChunks(append(l.preamble[:len(l.preamble):len(l.preamble)], l.broken)...)+lastChunk)
		}},
		{"no stream", func(r *rig, _ *tongue, up *weirtest.Client) { r.write(up, sized("HTTP/1.1 200 OK\r\n", "fine")) }},
		{"a coded stream", func(r *rig, l *tongue, up *weirtest.Client) {
			r.write(up, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: "+l.kind+"\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08")
		}},
		{"nothing", func(*rig, *tongue, *weirtest.Client) {}},
	} {
		eachTongue(t, func(t *testing.T, l *tongue) {
			t.Run(fails.name, func(t *testing.T) {
				l.atRig(t, 2, func(r *rig) {
					r.model.Keepalive = 10 * time.Second
					for i := range r.model.Targets {
						r.model.Targets[i].Upstream.Timeouts.FirstEvent = time.Minute
					}
					c := l.send(r, l.ask)
					up := r.asked(0)
					r.seen(up)
					time.Sleep(9 * time.Second)
					if got := r.seen(c); got != "" {
						t.Errorf("got %q before 10 s", got)
					}
					time.Sleep(3 * time.Second)
					got := r.seen(c)
					if body, _ := bodyOfStream(t, got); body != l.alive || strings.Contains(got, "X-Weir-Upstream") {
						t.Errorf("got %q within 12 s, want a head that names no upstream, and %q", got, l.alive)
					}
					fails.act(r, l, up)
					if fails.name == "nothing" {
						r.write(up, l.head()+inChunks(l.stream())+lastChunk)
					} else if other := r.asked(1); other == nil {
						t.Fatalf("the other was not tried; got %q", r.seen(c))
					} else {
						r.write(other, l.head()+inChunks(l.stream())+lastChunk)
					}
					if rest := r.seen(c); rest != inChunks(l.stream())+lastChunk {
						t.Errorf("got %q, want the second upstream's stream and nothing else", rest)
					}
				})
			})
		})
	}
}

// G4, G22: what fails for good behind a head that went out is reported in the
// stream, in its dialect, and the stream has no end mark.
func TestPrefillFails(t *testing.T) {
	eachTongue(t, func(t *testing.T, l *tongue) {
		l.atRig(t, 1, func(r *rig) {
			r.model.Keepalive = 5 * time.Second
			c := l.send(r, l.ask)
			up := r.asked(0)
			r.write(up, l.head()+inChunks(l.preamble...))
			time.Sleep(6 * time.Second)
			r.seen(c)
			up.Reset()
			got := r.seen(c)
			if !strings.Contains(got, l.told) || strings.Contains(got, l.mark) || !strings.HasSuffix(got, lastChunk) {
				t.Errorf("got %q, want %q and no %q", got, l.told, l.mark)
			}
		})
	})
}

// G4: nothing of another dialect follows the end mark, however it is cut, and
// an event that does not end does not either. What else follows, passes.
func TestBehindTheEnd(t *testing.T) {
	l := &tongues[3]
	const more = "event: ping\ndata: {\"type\":\"ping\"}\n\n"
	for sent, want := range map[string]string{
		done: "", more: more, done + more: more, more + done: more, "data: [DO": "", "\r\n": "\r\n", ": comment\n\n" + done: ": comment\n\n",
	} {
		whole := l.stream() + sent
		for _, cuts := range [][]string{{whole}, {l.stream(), sent}, strings.Split(whole, ""), {whole[:len(l.stream())-1], whole[len(l.stream())-1:]}} {
			l.atRig(t, 1, func(r *rig) {
				c := l.send(r, l.ask)
				up := r.asked(0)
				r.write(up, l.head()+inChunks(cuts...)+lastChunk)
				if got, ended := bodyOfStream(t, r.seen(c)); got != l.stream()+want || !ended {
					t.Errorf("%q in %d pieces: got %q behind the end, want %q", sent, len(cuts), strings.TrimPrefix(got, l.stream()), want)
				}
				r.blameless()
			})
		}
	}
}
