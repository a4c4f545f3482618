package serve

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/cmd/weir/internal/clients"
)

// llama is a llama-server that runs.
type llama struct {
	*process
	url string
}

// startLlama starts llama.cpp's llama-server with one slot and a model of the
// data that lies beside the repository, or skips the test.
func startLlama(t *testing.T, model string) *llama {
	t.Helper()
	root := filepath.Join("..", "..", "..", "..")
	said := func(script string) string {
		out, err := exec.Command(filepath.Join(root, "scripts", "clients", script)).Output()
		if exit, ok := err.(*exec.ExitError); ok {
			t.Skipf("no llama-server to test with: %s", bytes.TrimSpace(exit.Stderr))
		} else if err != nil {
			t.Skipf("no llama-server to test with: %v", err)
		}
		return strings.TrimSpace(string(out))
	}
	path := said("model-path.sh")
	if model != "" {
		path = filepath.Join(filepath.Dir(path), model)
	}
	p := start(t, nil, said("llama-server-path.sh"), "-m", path, "--alias", "m", "--host", "127.0.0.1", "--port", "0",
		"--threads", "1", "--parallel", "1", "--context-shift")
	line := p.log.wait(t, 1, `listening on http://`)[0]
	l := &llama{p, regexp.MustCompile(`http://[\d.:]+`).FindString(line)}
	eventually(t, "llama-server's model is loaded", func() bool {
		res, err := client.Get(l.url + "/health")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == 200
	})
	return l
}

// idle waits until no slot is at work.
func (l *llama) idle(t *testing.T) {
	t.Helper()
	eventually(t, "llama-server's slot is free", func() bool {
		_, slots := do(t, "GET", l.url+"/slots", "")
		return strings.Contains(slots, `"is_processing":false`) && !strings.Contains(slots, `"is_processing":true`)
	})
}

func to(urls ...string) string {
	var ups, targets []string
	for i, url := range urls {
		ups = append(ups, fmt.Sprintf("u%d: {url: %q}", i, url))
		targets = append(targets, fmt.Sprintf("{upstream: u%d}", i))
	}
	return "upstreams: {" + strings.Join(ups, ", ") + "}\nmodels: {m: {policy: round_robin, targets: [" + strings.Join(targets, ", ") + "]}}\n"
}

// tell is a request that llama-server answers the same each time.
func tell(stream bool, tokens int) string {
	return fmt.Sprintf(`{"model":"m","stream":%v,"temperature":0,"seed":7,"cache_prompt":false,"max_tokens":%d,"ignore_eos":true,"messages":[{"role":"user","content":"Once upon a time"}]}`, stream, tokens)
}

// content is what an answer says, whether it is a stream or whole.
func content(t *testing.T, answer string) string {
	t.Helper()
	var said strings.Builder
	for line := range strings.Lines(answer) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "data: ")
		if line == "" || line == "[DONE]" {
			continue
		}
		var piece struct {
			Choices []struct{ Delta, Message struct{ Content string } }
		}
		decode(t, line, &piece)
		for _, c := range piece.Choices {
			said.WriteString(c.Delta.Content + c.Message.Content)
		}
	}
	return said.String()
}

// The gateway gives what llama-server gives: the same words as without it, and
// the very bytes that it sent, with curl, too. tiny-random.gguf speaks broken
// UTF-8.
func TestLlamaBytes(t *testing.T) {
	for _, model := range []string{"", "tiny-random.gguf"} {
		t.Run("model="+model, func(t *testing.T) {
			l := startLlama(t, model)
			tap := listenIn(t, strings.TrimPrefix(l.url, "http://"))
			g := serve(t, to("http://"+tap.addr))
			for _, stream := range []bool{true, false} {
				ask := tell(stream, 120)
				_, direct := do(t, "POST", l.url+chat, ask)
				_, through := do(t, "POST", g.url+chat, ask)
				if a, b := content(t, direct), content(t, through); a != b || len(a) < 100 {
					t.Errorf("stream=%v: got %q, want %q", stream, b, a)
				}
				if sent := tap.body(t); through != sent {
					t.Errorf("stream=%v: got %q, want %q", stream, through, sent)
				}
				if stream && !strings.HasSuffix(through, "data: [DONE]\n\n") {
					t.Errorf("got %q, want [DONE] at its end", through)
				}
				out, err := exec.CommandContext(t.Context(), "curl", "-sSN", "-H", "content-type: application/json", "-d", ask, g.url+chat).Output()
				if sent := tap.body(t); err != nil || string(out) != sent {
					t.Errorf("stream=%v, curl: got %q, %v, want %q", stream, out, err, sent)
				}
			}
			g.end()
		})
	}
}

// llama-server answers in other dialects itself: their bytes pass as well, and
// each stream is taken for the complete one that it is.
func TestLlamaDialects(t *testing.T) {
	l := startLlama(t, "")
	tap := listenIn(t, strings.TrimPrefix(l.url, "http://"))
	g := serve(t, fmt.Sprintf("upstreams: {u: {url: %q, dialects: [openai, responses, anthropic]}}\nmodels: {m: {targets: [{upstream: u}]}}\n", "http://"+tap.addr))
	const said = `"temperature":0,"seed":7,"cache_prompt":false,"ignore_eos":true`
	for _, tt := range []struct{ path, body, end string }{
		{"/v1/completions", `{"model":"m",` + said + `,"max_tokens":40,"prompt":"Once upon a time","stream":`, "data: [DONE]\n\n"},
		{"/v1/responses", `{"model":"m",` + said + `,"max_output_tokens":40,"input":"Once upon a time","stream":`, `"type":"response.completed"`},
		{"/v1/messages", `{"model":"m",` + said + `,"max_tokens":40,"messages":[{"role":"user","content":"Once upon a time"}],"stream":`, `"type":"message_stop"`},
	} {
		for _, stream := range []bool{true, false} {
			res, through := do(t, "POST", g.url+tt.path, fmt.Sprintf("%s%v}", tt.body, stream))
			if sent := tap.body(t); res.StatusCode != 200 || through != sent || len(through) < 100 {
				t.Errorf("%s stream=%v: got %d %q, want %q", tt.path, stream, res.StatusCode, through, sent)
			}
			if stream && !strings.Contains(through, tt.end) {
				t.Errorf("%s: got %q, want %s at its end", tt.path, through, tt.end)
			}
		}
	}
	for _, c := range clients.All {
		if c.Name == "anthropic" { // which limits what it asks for
			for i, r := range c.Run(t, clients.Case{Base: g.url, Case: "text"}, clients.Case{Base: g.url, Case: "whole"}) {
				if r.Error != "" || r.Text == "" {
					t.Errorf("%s, case %d: got %+v, want a text", c, i, r)
				}
			}
		}
	}
	if _, metrics := do(t, "GET", g.admin+"/metrics", ""); blamed.MatchString(metrics) {
		t.Errorf("got %s, want no failures", blamed.FindString(metrics))
	}
	g.end()
}

// G3: a client that leaves in the middle frees llama-server's only slot.
func TestLlamaAbort(t *testing.T) {
	l := startLlama(t, "")
	g := serve(t, to(l.url))
	for _, events := range []int{0, 1, 20} {
		res, err := client.Do(asked(t, "POST", g.url+chat, tell(true, 1_000_000)))
		if err != nil {
			t.Fatal(err)
		}
		if events > 0 {
			if _, err := io.ReadFull(res.Body, make([]byte, 200*events)); err != nil {
				t.Fatal(err)
			}
		}
		res.Body.Close()
		l.idle(t)
		if res, got := do(t, "POST", g.url+chat, tell(true, 5)); res.StatusCode != 200 || !strings.HasSuffix(got, "[DONE]\n\n") {
			t.Errorf("the next request: got %d %q", res.StatusCode, got)
		}
	}
	g.out.wait(t, 3, `"status":499`)
	g.end()
}

// One of two llama-servers is killed while it answers: no request fails before
// its first event, and the one that it was answering is not made to look whole.
func TestLlamaKilled(t *testing.T) {
	l := []*llama{startLlama(t, ""), startLlama(t, "")}
	g := serve(t, to(l[0].url, l[1].url))
	served := map[string]int{}
	killed := ""
	for i := range 40 {
		tokens := 20
		if i >= 15 && killed == "" {
			tokens = 1_000_000
		}
		res, err := client.Do(asked(t, "POST", g.url+chat, tell(true, tokens)))
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, len("data: {\"choices\""))
		if _, err := io.ReadFull(res.Body, first); err != nil || res.StatusCode != 200 || string(first) != "data: {\"choices\"" {
			t.Fatalf("request %d: got %d %q, %v, want an event", i, res.StatusCode, first, err)
		}
		up := res.Header.Get("x-weir-upstream")
		served[up]++
		ends := "data: [DONE]\n\n"
		if tokens > 20 {
			killed = up
			if err := l[up[1]-'0'].cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			ends = "}}\n\n" // an error event
		} else if up == killed {
			t.Errorf("request %d was answered by the one that is dead", i)
		}
		rest, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !bytes.HasSuffix(rest, []byte(ends)) || (tokens > 20) != bytes.Contains(rest, []byte("\ndata: {\"error\":")) {
			t.Errorf("request %d: got …%q, %v, want it to end in %q", i, rest[max(0, len(rest)-300):], err, ends)
		}
	}
	t.Logf("answered by %v, %s killed at the 16th", served, killed)
	if len(served) != 2 || killed == "" {
		t.Errorf("got %v, want both at work", served)
	}
	g.end()
}

// The official clients, through the gateway, from llama-server.
func TestLlamaSDK(t *testing.T) {
	l := startLlama(t, "")
	g := serve(t, to(l.url))
	for name, run := range sdks(t) {
		t.Run(name, func(t *testing.T) {
			ask := []string{"--model", "m", "--seed", "3", "--max-tokens", "60"}
			lines := run(t, g.url, append(ask, "--usage")...)
			done := lines[len(lines)-1]
			var deltas string
			for _, line := range lines[:len(lines)-1] {
				deltas += line.Text
			}
			if done.Type != "done" || done.Text != deltas || len(lines) < 20 || done.Usage["completion_tokens"] == nil {
				t.Errorf("stream: got %+v after %d deltas %q", done, len(lines)-1, deltas)
			}
			once := run(t, g.url, append(ask, "--mode", "once")...)
			if got := once[0]; got.Type != "done" || got.Text == "" {
				t.Errorf("once: got %+v", got)
			}
			left := run(t, g.url, "--model", "m", "--mode", "abort", "--after", "2", "--max-tokens", "1000000")
			if got := left[len(left)-1]; got.Type != "aborted" {
				t.Errorf("abort: got %+v", got)
			}
			l.idle(t)
			wrong := run(t, g.url, "--model", "none")
			if got := wrong[0]; got.Class != "NotFoundError" || got.Status != 404 || got.Code != "model_not_found" {
				t.Errorf("unknown model: got %+v", got)
			}
		})
	}
	g.end()
}
