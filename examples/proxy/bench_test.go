package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// asProgram makes the test binary one of the proxies to be compared.
const asProgram = "PROXY_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(asProgram) {
	case "weir":
		err = run("127.0.0.1:0", os.Args[1])
	case "httputil":
		err = runReverseProxy(os.Args[1])
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// runReverseProxy is run with httputil.ReverseProxy, which passes events on at
// once, too.
func runReverseProxy(to string) error {
	at, err := url.Parse(to)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("proxy: ready on", ln.Addr())
	return http.Serve(ln, &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(at) },
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1000},
		FlushInterval: -1,
	})
}

// What an event costs that is relayed: CPU of the proxy's process, of whichever
// kind, while streams clients each get an event every 5 ms.
//
//	go test -run - -bench . -benchtime 1x -count 5
func BenchmarkEvent(b *testing.B) {
	const streams, events = 100, 400
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		flush := http.NewResponseController(w).Flush
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := range events {
			<-tick.C
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"token %d\"}}]}\n\n", i)
			if flush() != nil {
				return
			}
		}
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = srv.Serve(ln) }() // until Close
	defer srv.Close()
	for _, kind := range []string{"weir", "httputil"} {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				var clients sync.WaitGroup
				cpu := cpuOf(b, kind, "http://"+ln.Addr().String(), func(url string) {
					for range streams {
						clients.Go(func() { fetch(b, url, events) })
					}
					clients.Wait()
				})
				b.ReportMetric(float64(cpu.Nanoseconds())/1000/(streams*events), "cpu-µs/event")
			}
		})
	}
}

// What a whole response costs.
func BenchmarkResponse(b *testing.B) {
	const clients, requests = 16, 500
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = srv.Serve(ln) }() // until Close
	defer srv.Close()
	for _, kind := range []string{"weir", "httputil"} {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				var all sync.WaitGroup
				cpu := cpuOf(b, kind, "http://"+ln.Addr().String(), func(url string) {
					for range clients {
						all.Go(func() {
							for range requests {
								fetch(b, url, 0)
							}
						})
					}
					all.Wait()
				})
				b.ReportMetric(float64(cpu.Nanoseconds())/1000/(clients*requests), "cpu-µs/response")
			}
		})
	}
}

var clientOfMany = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}

// fetch reads a response and counts its events.
func fetch(b *testing.B, url string, events int) {
	res, err := clientOfMany.Get(url)
	if err != nil {
		b.Error(err)
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if got := strings.Count(string(body), "data: "); err != nil || got != events {
		b.Errorf("got %d events, %v, want %d", got, err, events)
	}
}

// cpuOf runs a proxy as a process of its own and returns the CPU that it took.
func cpuOf(b *testing.B, kind, to string, load func(url string)) time.Duration {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], to)
	cmd.Env = append(os.Environ(), asProgram+"="+kind)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	load("http://" + strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]))
	cancel()
	_ = cmd.Wait() // it was killed
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}
