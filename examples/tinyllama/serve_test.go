package tinyllama_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir"
	"weir/examples/tinyllama"
	"weir/examples/tinyllama/llama"
	"weir/examples/tinyllama/llama/llamatest"
	"weir/sse"
)

// serve starts a server with that model and returns the address of its completions.
func serve(t testing.TB, m *llama.Model, slots int) (url string) {
	t.Helper()
	l := tinyllama.NewLoop(m, slots, 0)
	tinyllama.Use(l)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Run(ctx)
	}()
	var mux weir.Mux
	mux.Handle("POST /v1/completions", weir.Native(tinyllama.Name))
	s := &weir.Server{Handler: &mux}
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		s.Shutdown(context.Background())
		stop()
		<-ended
	})
	return "http://" + s.Addrs()[0].String() + "/v1/completions"
}

// post asks for a completion and returns its text.
func post(url string, body map[string]any) (text string, err error) {
	resp, err := send(context.Background(), url, body)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if body["stream"] != true {
		raw, err := io.ReadAll(resp.Body)
		return textOf(raw), err
	}
	for ev, err := range sse.Read(resp.Body) {
		if err != nil {
			return text, err
		}
		if string(ev.Data) == "[DONE]" {
			return text, nil
		}
		text += textOf(ev.Data)
	}
	return text, io.ErrUnexpectedEOF
}

func send(ctx context.Context, url string, body map[string]any) (*http.Response, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(string(raw)))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err == nil && resp.StatusCode != 200 {
		resp.Body.Close()
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return resp, err
}

func textOf(raw []byte) string {
	var r struct{ Choices []struct{ Text string } }
	if json.Unmarshal(raw, &r) != nil || len(r.Choices) != 1 {
		return "?" + string(raw)
	}
	return r.Choices[0].Text
}

// TestManyAreAsOne: what each of many clients gets at one time is what it gets alone, greedy or not, streamed or whole.
func TestManyAreAsOne(t *testing.T) {
	url := serve(t, llamatest.Model(llamatest.Context), 24) // some of them wait
	const clients = 64
	body := func(i int, stream bool) map[string]any {
		return map[string]any{"prompt": strings.Repeat(llamatest.Words[i%8], 1+i%5), "stream": stream,
			"max_tokens": 5 + i%40, "seed": i, "temperature": float64(i%3) / 2}
	}
	var want [clients]string
	for i := range want {
		var err error
		if want[i], err = post(url, body(i, false)); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range want {
		all.Go(func() {
			if got, err := post(url, body(i, true)); err != nil || got != want[i] {
				t.Errorf("client %d: got %q, %v, want %q", i, got, err, want[i])
			}
		})
	}
	all.Wait()
}

// TestClientLeaves: the only slot is busy for minutes, until its client leaves.
func TestClientLeaves(t *testing.T) {
	url := serve(t, llamatest.Model(1<<20), 1)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	resp, err := send(ctx, url, map[string]any{"prompt": "the", "temperature": 0, "stream": true})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := post(url, map[string]any{"prompt": "the", "max_tokens": 3})
		got <- err
	}()
	leave()
	select {
	case err := <-got:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the slot of the client that left was not given to the next within 30 s")
	}
}

// BenchmarkServe is many clients' streams at one time, with HTTP and all; the clients run here too.
func BenchmarkServe(b *testing.B) {
	path, err := exec.Command("sh", "../../scripts/clients/model-path.sh").Output()
	if err != nil {
		b.Skipf("model-path.sh: %v", err)
	}
	m, err := llama.Load(strings.TrimSpace(string(path)))
	if err != nil {
		b.Fatal(err)
	}
	for _, clients := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			url := serve(b, m, clients)
			const tokens = 100
			before := cpuTime(b)
			for b.Loop() {
				var all sync.WaitGroup
				for range clients {
					all.Go(func() {
						body := map[string]any{"prompt": "Once upon a time", "max_tokens": tokens, "temperature": 0, "stream": true}
						if _, err := post(url, body); err != nil {
							b.Error(err)
						}
					})
				}
				all.Wait()
			}
			made := float64(b.N * clients * tokens)
			b.ReportMetric(made/b.Elapsed().Seconds(), "tokens/s")
			b.ReportMetric(made/(cpuTime(b)-before).Seconds(), "tokens/cpu-s")
		})
	}
}

// cpuTime is what the process has used, which other processes' load does not change much.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
