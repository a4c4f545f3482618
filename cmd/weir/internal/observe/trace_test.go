package observe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/cmd/weir/internal/command"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/front"
	"weir/internal/patience"
)

// page is an access log that is read while it is written.
type page struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

type accessLine struct {
	Msg, ID, Client, Method, Path, Err string
	Status                             int
	Took                               float64 `json:"took_ms"`
}

// next waits for n lines more.
func (p *page) next(t *testing.T, n int) (lines []accessLine) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(patience.Limit)
	for len(lines) < n {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("got %v, want %d lines", lines, n)
		}
		p.mu.Lock()
		for {
			text, err := p.text.ReadString('\n')
			if err != nil {
				p.text.Reset()
				p.text.WriteString(text)
				break
			}
			var l accessLine
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Errorf("got %q: %v", text, err)
			}
			lines = append(lines, l)
		}
		p.mu.Unlock()
	}
	return lines
}

// Every response is one line and one count, whoever refused the request and
// however early; and none is two.
func TestEveryResponseIsSeen(t *testing.T) {
	var out page
	code := command.Serve(&out, io.Discard, false, func(e *command.Env) int {
		o := &Observer{Metrics: NewMetrics(e.Lost), Access: NewAccess(config.Log{Access: "stdout", Format: "json", Sample: 1}, e)}
		mux := new(weir.Mux)
		mux.HandleFunc("GET /ok", func(w *weir.Response, _ *weir.Request) { w.WriteString("ok") }).Inline()
		mux.HandleFunc("POST /ok", func(w *weir.Response, _ *weir.Request) { w.WriteString("ok") })
		mux.HandleFunc("GET /panic", func(*weir.Response, *weir.Request) { panic("on purpose") }).Inline()
		mux.HandleFunc("GET /endless", func(w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			_ = s.Send([]byte("x"))
			<-s.Done()
		})
		srv := &weir.Server{
			Handler: mux, Loops: 1, Logger: e.Log, Trace: o.Trace(), OnError: front.Explain(10), Limits: weir.Limits{Conns: 2, Body: 10},
			OnHeaders: func(w *weir.Response, r *weir.Request) bool {
				front.Identify(w, r)
				if r.Header().Has("Origin") {
					w.Error(403, "no")
					return false
				}
				return true
			},
		}
		socket := filepath.Join(t.TempDir(), "s")
		if err := srv.Start("127.0.0.1:0", "unix:"+socket); err != nil {
			t.Error(err)
			return 1
		}
		defer func() { _, _ = srv.Shutdown(t.Context()) }()
		dial := func(network string) net.Conn {
			t.Helper()
			c, err := net.Dial(network, map[string]string{"tcp": srv.Addrs()[0].String(), "unix": socket}[network])
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		for _, tt := range []struct {
			name, request string
			status        int
			path          string
		}{
			{"served on the loop", "GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200, "/ok"},
			{"served on a goroutine", "POST /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, "/ok"},
			{"no route", "GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404, "/nowhere"},
			{"a long path", "GET /" + strings.Repeat("x", 200) + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404, "/" + strings.Repeat("x", 127) + "…"},
			{"no method", "DELETE /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405, "/ok"},
			{"no HTTP", "what is this\r\n\r\n", 400, ""},
			{"a long header", "GET /ok HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", 431, "/ok"},
			{"a large body", "POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", 413, "/ok"},
			{"a large body in chunks", "POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n", 413, "/ok"},
			{"refused by OnHeaders", "GET /ok HTTP/1.1\r\nHost: a\r\nOrigin: https://b\r\nConnection: close\r\n\r\n", 403, "/ok"},
			{"a panic", "GET /panic HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 500, "/panic"},
		} {
			for _, network := range []string{"tcp", "unix"} {
				c := dial(network)
				if _, err := io.WriteString(c, tt.request); err != nil {
					t.Fatal(err)
				}
				answer, _ := io.ReadAll(c) // cut short or not, the status is what counts
				client := c.LocalAddr().String()
				c.Close()
				if network == "unix" {
					client = "unix:" + socket
				}
				if want := fmt.Sprintf("HTTP/1.1 %d ", tt.status); !strings.HasPrefix(string(answer), want) {
					t.Errorf("%s: got %.200q, want %s", tt.name, answer, want)
				}
				lines := out.next(t, 1)
				l := lines[0]
				if len(lines) != 1 || l.Status != tt.status || l.Path != tt.path || l.Client != client || l.ID == "" || l.Took < 0 {
					t.Errorf("%s: got %+v, want one line with %d, %q and %s", tt.name, lines, tt.status, tt.path, client)
				}
				if !strings.Contains(strings.ToLower(string(answer)), "x-request-id: "+l.ID+"\r\n") {
					t.Errorf("%s: the response does not have the id %s", tt.name, l.ID)
				}
			}
		}
		a, b := dial("tcp"), dial("tcp")
		for _, c := range []net.Conn{a, b} {
			fmt.Fprint(c, "GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		c := dial("tcp")
		if answer, _ := io.ReadAll(c); !strings.HasPrefix(string(answer), "HTTP/1.1 503 ") {
			t.Errorf("got %q beyond the limit of connections, want 503", answer)
		}
		if l := out.next(t, 1)[0]; l.Status != 503 || l.Err != "too many connections" || l.Client != c.LocalAddr().String() {
			t.Errorf("got %+v, want the connection that was turned away", l)
		}
		c.Close()
		a.Close()
		if l := out.next(t, 1)[0]; l.Status != 499 || l.Path != "/endless" {
			t.Errorf("got %+v, want 499 for a client that disconnected", l)
		}
		b.Close()
		out.next(t, 1)
		families, err := o.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			if f.GetName() == "weir_responses_total" {
				for _, m := range f.GetMetric() {
					got[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
				}
			}
		}
		want := "map[200:4 400:2 403:2 404:4 405:2 413:4 431:2 499:2 500:2 503:1]"
		if fmt.Sprint(got) != want {
			t.Errorf("got the counts %v, want %s", got, want)
		}
		return 0
	})
	if code != 0 {
		t.Errorf("got exit code %d", code)
	}
}
