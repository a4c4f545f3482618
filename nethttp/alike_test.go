package nethttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"weir/nethttp"
)

// Requests that several cases share.
const (
	get    = "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
	headOf = "HEAD /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
	post   = "POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello"
	chunky = "POST /x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"
)

// instead is an explained difference: a part of net/http's response in place of
// which weir's has another.
type instead struct{ std, weir, why string }

// cases are handlers that respond alike on net/http and on weir, but for what
// is explained.
var cases = []struct {
	name     string
	handler  http.HandlerFunc
	requests []string
	differs  []instead
}{
	{"nothing", func(http.ResponseWriter, *http.Request) {}, []string{get, post}, nil},
	{"small", text("hello"), []string{get, post, chunky}, nil},
	{"html is sniffed", text("<!DOCTYPE html><p>x"), []string{get}, nil},
	{"exactly the buffer", text(strings.Repeat("x", 2048)), []string{get, headOf}, nil},
	{"beyond the buffer", text(strings.Repeat("x", 2049)), []string{get}, nil},
	{"large", text(strings.Repeat("0123456789", 20_000)), []string{get}, nil},
	{"many writes", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 2_000 {
			fmt.Fprintf(w, "line %d\n", i)
		}
	}, []string{get}, nil},
	{"flushed", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 3 {
			fmt.Fprintf(w, "line %d\n", i)
			w.(http.Flusher).Flush()
		}
	}, []string{get}, nil},
	{"flushed before the body", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(202)
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "late")
	}, []string{get}, nil},
	{"flushed without a body", func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }, []string{get}, nil},
	{"ReadFrom, chunked", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.Copy(w, strings.NewReader(strings.Repeat("y", 100_000)))
	}, []string{get}, nil},
	{"ReadFrom, with a length", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = io.Copy(w, onlyReader{strings.NewReader(strings.Repeat("y", 100_000))})
	}, []string{get}, nil},
	{"ReadFrom, short", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.Copy(w, onlyReader{strings.NewReader("short")})
	}, []string{get}, nil},
	{"more than its length at once", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "4")
		for _, s := range []string{"12345", "1234"} { // the first counts, although nothing of it is written
			if _, err := io.WriteString(w, s); err != http.ErrContentLength {
				panic(err)
			}
		}
	}, []string{get}, nil},
	{"too much for its length", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4")
		_, _ = io.WriteString(w, "1234")
		if _, err := io.WriteString(w, "5"); err != http.ErrContentLength {
			panic(err)
		}
	}, []string{get}, []instead{{"[closed]", "[open: HTTP/1.1 200 OK]", "the response is complete"}}},
	{"too little for its length", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "1234")
	}, []string{get}, nil},
	{"nothing for its length", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "10") }, []string{get, headOf}, nil},
	{"an invalid length", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "ten")
		_, _ = io.WriteString(w, "1234567890")
	}, []string{get}, []instead{
		{"Transfer-Encoding: chunked", "", "the length is computed, as without the field"},
		{"OK\n", "OK\nContent-Length: 10\n", "likewise"}, {"charset=utf-8\n", "charset=utf-8", "likewise"}, {"<10>1234567890<0>", "1234567890", "likewise"},
	}},
	{"HEAD, body known", text("hello"), []string{headOf}, nil},
	{"HEAD, length set", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1234") }, []string{headOf}, nil},
	{"HEAD, body not known", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "x")
		w.(http.Flusher).Flush()
		if n, err := io.WriteString(w, "more"); n != 4 || err != nil {
			panic(err)
		}
	}, []string{headOf}, []instead{{"text/plain\n", "text/plain\nTransfer-Encoding: chunked\n", "the response to HEAD says what that to GET would"}}},
	{"HEAD, nothing written", func(http.ResponseWriter, *http.Request) {}, []string{headOf}, []instead{{"OK\n", "OK\nTransfer-Encoding: chunked\n", "the response to HEAD says what that to GET would"}}},
	{"204", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "3")
		w.WriteHeader(204)
		if _, err := io.WriteString(w, "x"); err != http.ErrBodyNotAllowed {
			panic(err)
		}
	}, []string{get, headOf, post}, nil},
	{"204, flushed", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(204)
		w.(http.Flusher).Flush()
	}, []string{get}, nil},
	{"304", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", "3")
		w.Header().Set("ETag", `"x"`)
		w.WriteHeader(304)
	}, []string{get, headOf}, nil},
	{"205", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(205)
		_, _ = io.WriteString(w, "x")
	}, []string{get}, []instead{{"Content-Length: 1", "Content-Length: 0", "RFC 9110 15.3.6: no content in a 205"}, {"\n\nx", "\n\n", "likewise"}}},
	{"error", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "teapot", http.StatusTeapot) }, []string{get, headOf}, nil},
	{"an unusual status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(799) }, []string{get}, []instead{{"799 status code 799", "799 ", "weir has no words for it"}}},
	{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "y?z=1", http.StatusFound) }, []string{get, post}, nil},
	{"superfluous WriteHeader", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(201)
		w.WriteHeader(500)
		w.Header().Set("X-Late", "1")
	}, []string{get}, nil},
	{"fields", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Add("X-Many", "1")
		h.Add("X-Many", "2")
		h.Set("x-lower", " spaced ")
		h.Set("X-Split", "a\r\nX-Smuggled: b")
		h["bad name"] = []string{"x"}
		h["x-raw"] = []string{"as it is"}
		h.Set("Cache-Control", "no-store")
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		http.SetCookie(w, &http.Cookie{Name: "c", Value: "d"})
	}, []string{get}, nil},
	{"Content-Type suppressed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		_, _ = io.WriteString(w, "x")
	}, []string{get}, nil},
	{"Content-Encoding", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		_, _ = io.WriteString(w, "x")
	}, []string{get}, nil},
	{"Transfer-Encoding", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Transfer-Encoding", "chunked")
		_, _ = io.WriteString(w, "x")
	}, []string{get}, nil},
	{"Connection: close", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "x")
	}, []string{get, post}, nil},
	{"Connection: keep-alive", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "keep-alive") }, []string{get}, []instead{{"Connection: keep-alive\n", "", "it is the default of HTTP/1.1"}}},
	{"declared trailers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
	}, []string{get}, nil},
	{"declared trailers, flushed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum, X-Time")
		_, _ = io.WriteString(w, "body")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "42")
		w.Header().Set("X-Time", "now")
	}, []string{get}, nil},
	{"a declared trailer that is not set", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.(http.Flusher).Flush()
	}, []string{get}, []instead{{"<0>", "<0>\nX-Sum: ", "what is announced is sent"}}},
	{"undeclared trailers", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("b", 3_000))
		w.Header().Set(http.TrailerPrefix+"X-B", "2")
		w.Header().Set(http.TrailerPrefix+"X-A", "1")
	}, []string{get}, nil},
	{"undeclared trailers, short body", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(http.TrailerPrefix+"X-A", "1")
		_, _ = io.WriteString(w, "b")
	}, []string{get}, nil},
	{"panic before the head", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-A", "1")
		_, _ = io.WriteString(w, "not sent")
		panic("oops")
	}, []string{get}, []instead{{"no response", internalError, "weir sends an error response as long as it can"}}},
	{"panic after the head", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "sent")
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "not sent")
		panic("oops")
	}, []string{get}, nil},
	{"ErrAbortHandler before the head", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-A", "1")
		panic(http.ErrAbortHandler)
	}, []string{get}, []instead{{"no response", internalError, "weir sends an error response as long as it can"}}},
	{"ErrAbortHandler after the head", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
		_, _ = io.WriteString(w, "sent")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}, []string{get}, nil},
	{"the request", describe, []string{
		get, headOf, post, chunky,
		"GET /a%20b/%2F?q=1&q=2&x HTTP/1.1\r\nHost: b:80\r\naccept: text/html\r\nX-Two: 1\r\nx-two: 2\r\nPragma: no-cache\r\nCookie: a=b; c=d\r\n\r\n",
		"GET /x? HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"BREW /x HTTP/1.1\r\nHost: a\r\n\r\n",
	}, nil},
	{"the request, absolute", describe, []string{"GET http://b.example/x HTTP/1.1\r\nHost: a\r\n\r\n"}, nil},
	{"the request, HTTP/1.0", describe, []string{"GET /x HTTP/1.0\r\nHost: a\r\n\r\n"}, []instead{
		{"HTTP/1.0 200", "HTTP/1.1 200", "the server's version (RFC 9110 6.2)"},
		{"Content-Length: 127", "Connection: close\nContent-Length: 127", "said to HTTP/1.0, too"},
	}},
	{"echo", echo, []string{post, chunky}, nil},
	{"echo, pipelined", echo, []string{post + chunky}, nil},
	{"body in pieces", func(w http.ResponseWriter, r *http.Request) {
		for buf := make([]byte, 2); ; {
			n, err := io.ReadFull(r.Body, buf)
			fmt.Fprintf(w, "%q %v\n", buf[:n], err)
			if err != nil {
				return
			}
		}
	}, []string{post, chunky, get}, nil},
	{"a body that is not read", text("done"), []string{
		"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100_000),
		"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n" + strings.Repeat("x", 100_000) + "\r\n0\r\n\r\n",
	}, nil},
	{"a large body that is not read", text("done"), []string{"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx"}, nil},
	{"a body that is read too late", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun")
		w.(http.Flusher).Flush()
		_, err := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, err)
	}, []string{post, strings.Replace(post, "Host:", "Connection: close\r\nHost:", 1)}, nil},
	{"a body that is closed", func(w http.ResponseWriter, r *http.Request) {
		_ = r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, err)
	}, []string{post, chunky, get}, nil},
	{"trailers that cannot be", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Content-Length, X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "4\r\n2")
	}, []string{get}, []instead{{"Trailer: Content-Length, X-Sum", "Trailer: X-Sum", "what cannot be sent is not announced"}}},
	{"full duplex", func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			panic(err)
		}
		_, _ = io.WriteString(w, "begun ")
		w.(http.Flusher).Flush()
		_, _ = io.Copy(w, r.Body)
	}, []string{post}, nil},
	{"trailers of the request", func(w http.ResponseWriter, r *http.Request) {
		before := fmt.Sprint(r.Trailer, r.Header["Trailer"])
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, before, " ", r.Trailer)
	}, []string{
		"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum, X-Time\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\nX-Late: 3\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Late: 3\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTrailer: X-Sum\r\n\r\na",
	}, nil},
	{"Expect, not read", text("no"), []string{"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"}, nil},
	{"MaxBytesReader", func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 3)
		if _, err := io.ReadAll(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		}
	}, []string{post}, []instead{
		{"Connection: close\n", "", "the body has arrived whole"}, {"[closed]", "[open: HTTP/1.1 200 OK]", "likewise"},
		{"Request Entity Too Large", "Content Too Large", "the words of RFC 9110"},
	}},
	{"a form", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.FormValue("a"), r.FormValue("b")) }, []string{
		"POST /x?b=2 HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=1",
	}, nil},
	{"a file in parts", func(w http.ResponseWriter, r *http.Request) {
		f, h, err := r.FormFile("f")
		if err != nil {
			panic(err)
		}
		defer f.Close()
		_, _ = io.Copy(w, f)
		fmt.Fprint(w, h.Filename)
	}, []string{fmt.Sprintf("POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n%s", len(parts), parts)}, nil},
	{"ServeMux", mux().ServeHTTP, []string{
		"GET /items/7/a/b HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /items/7/a/b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
		"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /tree HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /tree/deep/x.txt HTTP/1.1\r\nHost: a\r\n\r\n",
	}, nil},
	{"ServeContent", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "x.txt", time.Unix(1_700_000_000, 0), strings.NewReader(strings.Repeat("0123456789", 1_000)))
	}, []string{
		get, headOf,
		ranged("bytes=0-9"), ranged("bytes=9990-"), ranged("bytes=-5"), ranged("bytes=20000-"), ranged("junk"),
		"GET /x HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"v1\"\r\n\r\n",
		"GET /x HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n\r\n",
		"GET /x HTTP/1.1\r\nHost: a\r\nIf-Match: \"v2\"\r\n\r\n",
	}, []instead{{"Requested Range", "Range", "the words of RFC 9110"}}},
	{"FileServer", http.FileServerFS(files).ServeHTTP, []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD /a.txt HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /dir HTTP/1.1\r\nHost: a\r\n\r\n", "GET /dir/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET /none HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n", "GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n",
	}, nil},
	{"ServeFile", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		http.ServeFile(w, r, "../docs/rules.md") // large enough to be sent by the kernel
	}, []string{get, headOf, ranged("bytes=0-9"), ranged("bytes=5-45000"), ranged("bytes=-40000"), get + get}, nil},
	{"TimeoutHandler", http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "lost")
		<-r.Context().Done()
	}), time.Millisecond, "too slow").ServeHTTP, []string{get}, nil},
	{"controller", func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		fmt.Fprintln(w, c.SetReadDeadline(time.Now().Add(time.Hour)), c.SetWriteDeadline(time.Now().Add(time.Hour)))
		_, err := io.ReadAll(r.Body)
		fmt.Fprintln(w, err, c.Flush())
	}, []string{get, post, chunky}, nil},
}

const parts = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n\"\r\n\r\n123456789\r\n--b--\r\n"

const internalError = "HTTP/1.1 500 Internal Server Error\nConnection: close\nContent-Length: 22\nContent-Type: text/plain; charset=utf-8\n\nInternal Server Error\n"

func TestAlike(t *testing.T) {
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/probe" {
					tt.handler(w, r)
				}
			})
			onWeir, onStd := onWeir(t, h), onStd(t, h)
			whole := serve(t, nethttp.FromHTTP(h))
			unused := slices.Clone(tt.differs)
			for _, request := range tt.requests {
				expected := exchange(t, onStd, request)
				for _, d := range tt.differs {
					if strings.Contains(expected, d.std) {
						expected = strings.Replace(expected, d.std, d.weir, 1)
						unused = slices.DeleteFunc(unused, func(u instead) bool { return u == d })
					}
				}
				if got := exchange(t, onWeir, request); got != expected {
					t.Errorf("%.60q:\ngot  %.1500q\nwant %.1500q", request, got, expected)
				}
				if arrives(request) {
					if got := exchange(t, whole, request); got != expected {
						t.Errorf("%.60q, body whole:\ngot  %.1500q\nwant %.1500q", request, got, expected)
					}
				}
			}
			for _, d := range unused {
				t.Errorf("no response of net/http has %q any more", d.std)
			}
		})
	}
}

// arrives reports whether the request's body arrives whole, so that a handler
// behind Handle gets to see it.
func arrives(request string) bool {
	return !strings.Contains(request, "Expect:") && !strings.Contains(request, "Content-Length: 1000000\r\n")
}

// exchange sends requests and renders all responses and what becomes of the
// connection.
func exchange(t *testing.T, addr, requests string) string {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	c.send(requests)
	method, _, _ := strings.Cut(requests, " ")
	var all strings.Builder
	for range strings.Count(requests, " HTTP/1.") {
		all.WriteString(c.response(method))
	}
	return all.String() + "\n[" + c.next() + "]"
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
}

func ranged(value string) string {
	return "GET /x HTTP/1.1\r\nHost: a\r\nRange: " + value + "\r\n\r\n"
}

type onlyReader struct{ io.Reader }

// echo is the body back, as it is read.
func echo(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }

// describe is what a handler can learn of a request.
func describe(w http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(r.RemoteAddr, ":")
	local := fmt.Sprint(r.Context().Value(http.LocalAddrContextKey))
	body, err := io.ReadAll(r.Body)
	_ = json.NewEncoder(w).Encode([]any{
		r.Method, r.RequestURI, r.URL.String(), r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.Host, r.Proto, r.ContentLength, r.Close,
		r.TransferEncoding, slices.Sorted(maps.Keys(r.Header)), r.Header, host, strings.HasPrefix(local, "127.0.0.1:"), string(body), fmt.Sprint(err),
		r.Body == http.NoBody, r.Trailer == nil, r.TLS == nil, r.Context().Err() == nil, context.Cause(r.Context()) == nil,
	})
}

var files = fstest.MapFS{
	"a.txt":       {Data: []byte("a file\n"), ModTime: time.Unix(1_700_000_000, 0)},
	"dir/b.txt":   {Data: []byte("another\n")},
	"big.bin":     {Data: make([]byte, 300_000)},
	"index2.html": {Data: []byte("<p>")},
}

func mux() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET /items/{id}/{rest...}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, r.Pattern, r.PathValue("id"), r.PathValue("rest"))
	})
	m.Handle("/tree/", http.StripPrefix("/tree", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.URL.Path) })))
	return m
}
