package serve

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/cmd/weir/internal/mock"
)

// silence is an upload that stops before its model has come, and what was said to it.
type silence struct {
	status int
	after  time.Duration // from the last byte that was sent
	err    error
}

// fallSilent makes uploads that announce more than they send, and waits until each is answered.
func (g *instance) fallSilent(t *testing.T, clients, announced, sent int) (all []silence) {
	t.Helper()
	results := make(chan silence, clients)
	piece := bytes.Repeat([]byte("x"), 1<<20)
	for range clients {
		c, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		written := make(chan time.Time, 1)
		go func() {
			_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n{\"messages\":[\"", chat, announced)
			for range sent >> 20 {
				if _, err := c.Write(piece); err != nil {
					break // it was refused
				}
			}
			written <- time.Now()
		}()
		go func() {
			var s silence
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if s.err = err; err == nil {
				s.status = res.StatusCode
			}
			select {
			case at := <-written:
				s.after = time.Since(at)
			default: // it was answered before
			}
			results <- s
		}()
	}
	for range clients {
		all = append(all, <-results)
	}
	return all
}

// survives has silent uploads answered and returns by how much the gateway's memory grew, in MiB.
func (g *instance) survives(t *testing.T, clients int) (late, refused, growth int) {
	t.Helper()
	do(t, "POST", g.url+chat, askWhole)
	_, before := g.peak(t)
	began, longest := time.Now(), time.Duration(0)
	for _, s := range g.fallSilent(t, clients, 63<<20, 59<<20) {
		switch {
		case s.status == 408:
			late++
			longest = max(longest, s.after)
		case s.status == 503, errors.Is(s.err, syscall.ECONNRESET): // who sends on and on may be too late to read it
			refused++
		default:
			t.Errorf("got %d, %v, want 408 or 503", s.status, s.err)
		}
	}
	most, now := g.peak(t)
	t.Logf("%d got 408, the last one %v after its last byte; %d got 503; %v in all; memory from %d to at most %d MiB, then %d",
		late, longest, refused, time.Since(began), before>>10, most>>10, now>>10)
	if res, text := do(t, "POST", g.url+chat, askWhole); res.StatusCode != 200 {
		t.Errorf("got %d %q afterwards, want 200", res.StatusCode, text)
	}
	if kept, err := g.gauge("weir_body_bytes"); err != nil || kept != 0 {
		t.Errorf("got %v bytes kept afterwards, %v, want none", kept, err)
	}
	return late, refused, (most - before) >> 10
}

// K3.8: uploads that send 59 MiB each and fall silent hold no more memory than they may, all together, and none for long. Those
// for which there is room get 408, the others 503.
func TestSilentUploads(t *testing.T) {
	const (
		budget   = 256 // MiB
		overhead = 32  // MiB: what the runtime needs for so large a heap, and garbage
	)
	up := mock.Start(t, mock.Config{})
	g := serveBuilt(t, toMock(up)+fmt.Sprintf("limits: {bodies: %dMiB}\n", budget))
	late, refused, growth := g.survives(t, 16)
	if late == 0 || late > budget/59 || late+refused != 16 {
		t.Errorf("got %d late and %d refused, want at most %d late and the others refused", late, refused, budget/59)
	}
	if growth > budget+overhead {
		t.Errorf("memory grew by %d MiB, want no more than the %d of the budget and %d", growth, budget, overhead)
	}
	g.end()
}

// K3.8: in two gigabytes of address space, of which the runtime reserves more than one, a hundred of them do no harm: what requests
// may keep is a share of what is left.
func TestSilentUploadsInLittleAddressSpace(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := launch(t, "/bin/sh", []string{"-c", `ulimit -v 2097152 && exec "$0" "$@"`, builtWeir(t), "serve"}, toMock(up))
	if limit, err := g.gauge("weir_body_limit_bytes"); err != nil || limit < 64<<20 || limit > 256<<20 {
		t.Errorf("got a limit of %v, %v, want a quarter of what is left of 2 GiB", limit, err)
	}
	g.survives(t, 100)
	g.end()
}
