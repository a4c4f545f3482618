package serve

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"weir/cmd/weir/internal/mock"
)

// peak returns the most memory that the process has held since the last call,
// and what it holds now, in KiB.
func (p *process) peak(t *testing.T) (most, now int) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	text, err := os.ReadFile(dir + "status")
	if err != nil {
		t.Skipf("memory is only measured on Linux: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &most) // other lines do not match
		_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &now)  // likewise
	}
	if err := os.WriteFile(dir+"clear_refs", []byte("5"), 0); err != nil {
		t.Skipf("the peak cannot be set back: %v", err)
	}
	return most, now
}

// G8: 30 MB of a request and of a whole answer stream through. A request is kept
// until its model is known, once and not twice.
func TestBigBodies(t *testing.T) {
	const (
		size   = 30_000_000
		little = 2 << 10 // KiB
		once   = size>>10 + size>>12 + little
	)
	up := mock.Start(t, mock.Config{})
	g := serveBuilt(t, toMock(up))
	request := func(before string, n int, after string) string {
		return before + `"messages":["` + strings.Repeat("x", n) + `"]` + after
	}
	for _, tt := range []struct {
		name, body, size string
		growth           int // of memory, in KiB at most
	}{
		{"warm up", request(`{"model":"m","stream":false,`, size, `}`), "1000000", 0},
		{"request, model first", request(`{"model":"m","stream":false,`, size, `}`), "10", little},
		{"request without stream", request(`{"model":"m",`, size, `}`), "10", little},
		{"request, stream last", request(`{"model":"m",`, size, `,"stream":false}`), "10", little},
		{"answer", askWhole, fmt.Sprint(size), little},
		{"request, model last", request(`{`, size, `,"model":"m"}`), "10", once},
	} {
		_, before := g.peak(t)
		res, err := client.Do(asked(t, "POST", g.url+chat, tt.body, "x-mock-size", tt.size))
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		most, _ := g.peak(t)
		if err != nil || res.StatusCode != 200 || tt.name == "answer" && n < size {
			t.Fatalf("%s: got %d and %d bytes, %v", tt.name, res.StatusCode, n, err)
		}
		if tt.name == "warm up" {
			continue
		}
		t.Logf("%s of 30 MB: memory from %d to at most %d KiB", tt.name, before, most)
		if most-before >= tt.growth {
			t.Errorf("%s: memory grew by %d KiB, want less than %d", tt.name, most-before, tt.growth)
		}
		requests := up.Log().Requests
		if got := requests[len(requests)-1].BodyLength; got != int64(len(tt.body)) {
			t.Errorf("%s: the upstream got %d bytes, want %d", tt.name, got, len(tt.body))
		}
	}
	g.end()
}

// G7: twenty clients stop reading while their upstream floods them. It waits,
// memory grows no more than their marks, and after the stall time all is cut.
func TestBackPressure(t *testing.T) {
	const clients, mark = 20, 256 // KiB
	up := mock.Start(t, mock.Config{Tokens: 1 << 20})
	g := serveBuilt(t, toMock(up), "--stall", "3s")
	do(t, "POST", g.url+chat, askStream, "x-mock-tokens", "1000")
	up.Forget()
	_, before := g.peak(t)
	for range clients {
		c, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.(*net.TCPConn).SetReadBuffer(8 << 10); err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nx-mock-size: 16384\r\nContent-Length: %d\r\n\r\n%s", chat, len(askStream), askStream)
		if err != nil {
			t.Fatal(err)
		}
	}
	wait(t, up, func(c mock.Counts) bool { return c.Left == clients && c.Open == 0 })
	most, _ := g.peak(t)
	wrote := up.Counts().Events * 16
	t.Logf("%d clients that do not read: memory from %d to at most %d KiB; their upstreams wrote %d KiB each before they waited", clients, before, most, wrote/clients)
	// A read may go beyond the mark, and each stream has some state.
	const read, state = 64, 64 // KiB
	if most-before > clients*(mark+read+state)+2<<10 {
		t.Errorf("memory grew by %d KiB, want no more than %d marks of %d KiB, a read of %d KiB each, and 2 MiB", most-before, clients, mark, read)
	}
	if wrote > clients*(32<<10) {
		t.Errorf("the upstreams wrote %d KiB, want them paused when all buffers are full", wrote)
	}
	g.out.wait(t, clients, `"id":"req_.*"status":(499|200)`)
	g.end()
}
