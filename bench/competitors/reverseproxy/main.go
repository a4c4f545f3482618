// Command reverseproxy relays to one upstream with httputil.ReverseProxy, as
// one would write a gateway for event streams with the standard library:
// flushed after every write, connections kept, buffers pooled. Timeouts are
// left off, which favours it.
//
//	reverseproxy 127.0.0.1:0 http://127.0.0.1:8000
package main

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"

	"weir/bench/internal/tour"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: reverseproxy ADDRESS UPSTREAM")
		os.Exit(2)
	}
	upstream, err := url.Parse(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "reverseproxy:", err)
		os.Exit(2)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		FlushInterval: -1,
		BufferPool:    &buffers{},
		Transport:     &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true},
	}
	server := &http.Server{Handler: proxy}
	fmt.Fprintln(os.Stderr, "reverseproxy:", server.Serve(tour.Listen("reverseproxy")))
	os.Exit(1)
}

// buffers is a pool of what ReverseProxy otherwise allocates for every
// response.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
