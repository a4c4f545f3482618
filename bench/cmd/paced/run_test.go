package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/bench/internal/tour"
)

// streamer serves /tokens as it should be, with lacking frames held back at
// the end of each stream.
func streamer(lacking int, stamped bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		t, err := tour.ParseTokens(r.URL.Query().Get)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		t.N -= lacking
		t.Stamp = stamped
		t.Stream(r.Context().Done(), func(p []byte) error {
			_, err := w.Write(p)
			w.(http.Flusher).Flush()
			return err
		})
	}
}

// numberer serves /tokens with numbered frames, but that one of them lacks when lacking is above 0, and what a decode
// loop tells.
func numberer(lacking int) http.HandlerFunc {
	var asked atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/steps" {
			n := asked.Add(1)
			_, _ = fmt.Fprintf(w, `{"steps":%d,"held_ns":%d,"refused":0}`, 10*n, 50_000*n)
			return
		}
		t, err := tour.ParseTokens(r.URL.Query().Get)
		if err != nil || !t.Chunk {
			http.Error(w, "no chunks", http.StatusBadRequest)
			return
		}
		i := 0
		t.Stream(r.Context().Done(), func(p []byte) error {
			if i++; lacking > 0 && i > lacking && !strings.Contains(string(p), tour.Done) {
				p = t.AppendFrame(nil, i)
			}
			_, err := w.Write(p)
			w.(http.Flusher).Flush()
			return err
		})
	}
}

// With -numbered a frame that lacks is found, though their number is right; with -steps the loop is asked.
func TestNumberedSteps(t *testing.T) {
	tests := []struct {
		name    string
		lacking int
		cut     bool
		first   string
	}{
		{"as asked", 0, false, ""},
		{"cut after the window", 0, true, ""},
		{"one lacks", 3, false, "paced: frame 4 where 3 was to come"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(numberer(tt.lacking))
			defer server.Close()
			out, err := measure(config{
				addr: strings.TrimPrefix(server.URL, "http://"), pid: os.Getpid(), conns: 4,
				interval: 5 * time.Millisecond, size: 190, numbered: true, steps: true, cut: tt.cut,
				window: 100 * time.Millisecond,
			})
			if tt.first != "" {
				if got := fmt.Sprint(err, out.FirstError); !strings.Contains(got, tt.first) {
					t.Errorf("got %q, want %q", got, tt.first)
				}
				return
			}
			if err != nil || out.Incomplete != 0 || out.Held != 5 || out.StepRate <= 0 {
				t.Errorf("got %+v, %v; want nothing incomplete, 5 µs a step", out, err)
			}
		})
	}
}

// chat passes what a client of chat completions would send to next.
func chat(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Model  string
			Stream bool
		}
		err := json.NewDecoder(r.Body).Decode(&body)
		if err != nil || r.Method != "POST" || r.URL.Path != "/v1/chat/completions" || body.Model != "m" || !body.Stream {
			http.Error(w, "no chat", http.StatusBadRequest)
			return
		}
		next.ServeHTTP(w, r)
	}
}

func TestMeasure(t *testing.T) {
	tests := []struct {
		name       string
		handler    http.Handler
		chat       bool
		incomplete int
		err        string // of the measurement
		first      string // of the streams
	}{
		{"as asked", streamer(0, true), false, 0, "", ""},
		{"chat", chat(streamer(0, true)), true, 0, "", ""},
		{"a frame lacks", streamer(1, true), false, 4, "", "frames, [DONE] true"},
		{"no stamps", streamer(0, false), false, 0, "0 stamped", ""},
		{"an error status", http.NotFoundHandler(), false, 4, "0 chunks", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			out, err := measure(config{
				addr: strings.TrimPrefix(server.URL, "http://"), pid: os.Getpid(), conns: 4,
				interval: 5 * time.Millisecond, size: 64, chat: tt.chat,
				settle: 10 * time.Millisecond, window: 100 * time.Millisecond,
			})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if out.Incomplete != tt.incomplete || !strings.Contains(out.FirstError, tt.first) {
				t.Errorf("got %d incomplete, %q; want %d, %q", out.Incomplete, out.FirstError, tt.incomplete, tt.first)
			}
			if out.Chunks == 0 || out.CPU <= 0 || out.PushP50 <= 0 || out.PushMax < out.PushP99 {
				t.Errorf("got %+v, want chunks with positive costs", out)
			}
		})
	}
}
