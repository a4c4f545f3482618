package load

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serveEcho answers handshakes and sends back what reply makes of each frame.
func serveEcho(t *testing.T, status string, reply func(frame []byte) []byte) string {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	masked, _ := frames(200)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				if req, err := http.ReadRequest(r); err != nil || req.Header.Get("Sec-WebSocket-Key") != key {
					return
				}
				_, _ = io.WriteString(c, "HTTP/1.1 "+status+"\r\nSec-WebSocket-Accept: "+accept+"\r\n\r\n")
				for frame := make([]byte, len(masked)); ; {
					if _, err := io.ReadFull(r, frame); err != nil {
						return
					}
					p := reply(frame)
					for _, part := range [][]byte{p[:1], p[1:]} { // cut
						if _, err := c.Write(part); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func TestEcho(t *testing.T) {
	masked, plain := frames(200)
	same := func(frame []byte) []byte {
		if !bytes.Equal(frame, masked) {
			t.Error("the server received another frame")
		}
		return plain
	}
	other := append(bytes.Clone(plain[:len(plain)-1]), 'X')
	for _, tt := range []struct {
		name, status string
		reply        func([]byte) []byte
		err          string
	}{
		{"echoed", "101 Switching Protocols", same, ""},
		{"refused", "403 Forbidden", same, "403"},
		{"another message", "101 Switching Protocols", func([]byte) []byte { return other }, "not the echo"},
		{"more than the echo", "101 Switching Protocols", func([]byte) []byte { return append(bytes.Clone(plain), 0x82) }, "not the echo"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &Echo{Addr: serveEcho(t, tt.status, tt.reply), Path: "/", Size: 200, AtOnce: 2}
			client, err := New(e.Addr, e)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			err = e.Open(client, 3, time.Now().Add(time.Minute))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want an error with %q", err, tt.err)
				}
				return
			}
			if err != nil || e.Echoed != 3 {
				t.Fatalf("got %d echoes, %v, want 3", e.Echoed, err)
			}
			e.Start()
			if err := client.PollWhile(func() bool { return e.Echoed < 30 }, time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if e.Echoed < 30 || e.Failed > 0 || len(e.Times) != e.Echoed-3 {
				t.Errorf("got %d echoes, %d times, %d failures (%v), want 30 and no failure", e.Echoed, len(e.Times), e.Failed, e.First)
			}
		})
	}
}
