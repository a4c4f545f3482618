package http1

import (
	"bufio"
	"bytes"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// browserRequest is the request that picohttpparser is measured with: 703 bytes, 10 fields.
const browserRequest = "GET /wp-content/uploads/2010/03/hello-kitty-darth-vader-pink.jpg HTTP/1.1\r\n" +
	"Host: www.kittyhell.com\r\n" +
	"User-Agent: Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10.6; ja-JP-mac; rv:1.9.2.3) Gecko/20100401 Firefox/3.6.3 " +
	"Pathtraq/0.9\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: ja,en-us;q=0.7,en;q=0.3\r\n" +
	"Accept-Encoding: gzip,deflate\r\n" +
	"Accept-Charset: Shift_JIS,utf-8;q=0.7,*;q=0.7\r\n" +
	"Keep-Alive: 115\r\n" +
	"Connection: keep-alive\r\n" +
	"Cookie: wp_ozh_wsa_visits=2; wp_ozh_wsa_visit_lasttime=xxxxxxxxxx; " +
	"__utma=xxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.x; " +
	"__utmz=xxxxxxxxx.xxxxxxxxxx.x.x.utmccn=(referral)|utmcsr=reader.livedoor.com|utmcct=/reader/|utmcmd=referral\r\n" +
	"\r\n"

// wrkRequest is what wrk sends.
const wrkRequest = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"

const chatRequest = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: application/json\r\n" +
	"Content-Type: application/json\r\nUser-Agent: OpenAI/Python 1.99.0\r\nAuthorization: Bearer sk-0123456789abcdef\r\n" +
	"Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nContent-Length: 181\r\n\r\n"

const upstreamResponse = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: uvicorn\r\n" +
	"Content-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"

func BenchmarkRequest(b *testing.B) {
	for _, tt := range []struct{ name, head string }{
		{"browser703B", browserRequest},
		{"wrk40B", wrkRequest},
		{"chat", chatRequest},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(tt.head)))
			buf := []byte(tt.head)
			var h Request
			for b.Loop() {
				h.Reset()
				if n, err := h.Parse(buf, nil); n != len(buf) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkNetHTTP is net/http on the same bytes, for comparison.
func BenchmarkNetHTTP(b *testing.B) {
	b.ReportAllocs()
	var r bytes.Reader
	br := bufio.NewReader(&r)
	for b.Loop() {
		r.Reset([]byte(browserRequest))
		br.Reset(&r)
		if _, err := http.ReadRequest(br); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResponse(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(upstreamResponse)))
	buf := []byte(upstreamResponse)
	var h Response
	for b.Loop() {
		h.Reset()
		if n, err := h.Parse(buf, nil); n != len(buf) || err != nil {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkByteByByte is a head that comes one byte at a time: the cost of all calls together.
func BenchmarkByteByByte(b *testing.B) {
	b.ReportAllocs()
	buf := []byte(browserRequest)
	var h Request
	for b.Loop() {
		h.Reset()
		for i := range len(buf) + 1 {
			if _, err := h.Parse(buf[:i], nil); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkGet(b *testing.B) {
	b.ReportAllocs()
	var h Request
	if _, err := h.Parse([]byte(browserRequest), nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if h.Get("Cookie") == nil {
			b.Fatal("no Cookie")
		}
	}
}

func BenchmarkScan(b *testing.B) {
	line := []byte(strings.Repeat("abcdefgh", 16) + "\r")
	for name, f := range map[string]func([]byte, int) int{"value128B": indexControl, "target128B": indexTargetStop} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if f(line, 0) != 128 {
					b.Fatal()
				}
			}
		})
	}
}

func BenchmarkAppendHead(b *testing.B) {
	b.ReportAllocs()
	dst := make([]byte, 0, 256)
	for b.Loop() {
		out := AppendStatusLine(dst[:0], 200)
		out = AppendField(out, "Content-Type", "text/plain")
		out = AppendField(out, "Content-Length", "13")
		dst = append(out, "\r\n"...)
	}
}

func BenchmarkAppendDate(b *testing.B) {
	b.ReportAllocs()
	dst := make([]byte, 0, 64)
	now := time.Now()
	for b.Loop() {
		dst = AppendDate(dst[:0], now)
	}
}

// The sizes are part of what an idle connection costs.
func TestSizes(t *testing.T) {
	if len(browserRequest) != 703 {
		t.Errorf("browserRequest: got %d bytes, want 703", len(browserRequest))
	}
	if got := reflect.TypeFor[Request]().Size(); got > 128 {
		t.Errorf("Request: got %d bytes, want at most 128", got)
	}
	if got := reflect.TypeFor[field]().Size(); got != 16 {
		t.Errorf("field: got %d bytes, want 16", got)
	}
}

// What an intermediary asks of each field of a request.
func BenchmarkFieldRules(b *testing.B) {
	var h Request
	if _, err := h.Parse([]byte(browserRequest), nil); err != nil {
		b.Fatal(err)
	}
	set := NewFieldSet("x-api-key", "authorization", "cookie")
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for i := range h.Len() {
			if name, _ := h.Field(i); h.ClassOf(name)&(HopByHop|Forwarding) == 0 && !set.Has(name) {
				n++
			}
		}
	}
	b.ReportMetric(float64(h.Len()), "fields")
}
