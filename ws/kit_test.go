package ws_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"weir"
	"weir/weirtest"
	"weir/ws"
)

// table is a server on the kernel in memory, in a bubble with a fake clock.
type table struct {
	*testing.T
	*weirtest.Server
	srv *weir.Server
}

// at runs f with a server; set changes the server before it starts.
func at(t *testing.T, h weir.Handler, set func(*weir.Server), f func(d *table)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := &weir.Server{Handler: h, Logger: slog.New(slog.DiscardHandler)}
		if set != nil {
			set(srv)
		}
		f(&table{t, weirtest.Start(t, srv), srv})
	})
}

// The ways in which a connection is served, each as an echo at /ws.
var ways = []string{"inline", "goroutine", "accept"}

func echoes(way string, o ws.Options) *weir.Mux {
	m := new(weir.Mux)
	switch way {
	case "accept":
		m.HandleFunc("GET /ws", func(w *weir.Response, r *weir.Request) {
			c, err := ws.Accept(w, r, o)
			if err != nil {
				return
			}
			for {
				kind, p, err := c.Read()
				if err != nil || c.Send(kind, p) != nil {
					return
				}
			}
		})
	default:
		o.Inline = way == "inline"
		m.HandleLoop("/ws", ws.Handle(o, func(*ws.Conn, *weir.Request) ws.Handler {
			return ws.OnMessage(func(c *ws.Conn, kind ws.Kind, p []byte) { _ = c.Send(kind, p) })
		}))
	}
	return m
}

const (
	key    = "dGhlIHNhbXBsZSBub25jZQ==" // of RFC 6455 1.3
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// ask is a good request, with further fields.
func ask(path string, fields ...string) string {
	text := "GET " + path + " HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n"
	for _, f := range fields {
		text += f + "\r\n"
	}
	return text + "\r\n"
}

// switched is the response to it.
func switched(fields ...string) string {
	text := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + accept + "\r\n"
	for _, f := range fields {
		text += f + "\r\n"
	}
	return text + "\r\n"
}

// open opens a connection. what are its first frames, in the segment of the handshake.
func (d *table) open(what string, fields ...string) *weirtest.Client {
	d.Helper()
	c := d.Dial()
	c.Send(ask("/ws", fields...) + what)
	return c
}

// opened is open behind the handshake.
func (d *table) opened(fields ...string) *weirtest.Client {
	d.Helper()
	c := d.open("", fields...)
	head, rest, _ := strings.Cut(c.Received(), "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 101 ") || rest != "" {
		d.Fatalf("got %q, want 101", head)
	}
	return c
}

// Opcodes, and the bits in the byte that they are in.
const (
	opCont   = 0x0
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xa

	fin  = 0x80
	rsv1 = 0x40
	rsv2 = 0x20
	rsv3 = 0x10
)

var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// frame is a client's frame.
func frame(first byte, payload string) string { return masked(first, payload, mask) }

func masked(first byte, payload string, mask [4]byte) string {
	b := []byte{first, 0x80}
	switch n := len(payload); {
	case n < 126:
		b[1] |= byte(n)
	case n < 1<<16:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(b, mask[:]...)
	at := len(b)
	b = append(b, payload...)
	p, eight := b[at:], uint64(binary.LittleEndian.Uint32(mask[:]))*(1<<32+1)
	for ; len(p) >= 8; p = p[8:] {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^eight)
	}
	for i := range p {
		p[i] ^= mask[i%4]
	}
	return string(b)
}

func text(p string) string     { return frame(fin|opText, p) }
func binaryOf(p string) string { return frame(fin|opBinary, p) }

// closing is a client's Close.
func closing(code int, reason string) string { return frame(fin|opClose, status(code)+reason) }

func status(code int) string { return string([]byte{byte(code >> 8), byte(code)}) }

// deflated is p compressed by the standard library, as a message's payload.
func deflated(p string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write([]byte(p)) // a bytes.Buffer has no errors
	_ = w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// referring is p compressed as what follows upon before.
func referring(before, p string) string {
	var b bytes.Buffer
	w, err := flate.NewWriterDict(&b, flate.BestCompression, []byte(before))
	if err != nil {
		panic(err)
	}
	_, _ = w.Write([]byte(p)) // a bytes.Buffer has no errors
	_ = w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

func inflated(p string) (string, error) {
	b, err := io.ReadAll(flate.NewReader(strings.NewReader(p + "\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
	return string(b), err
}

// said writes down what a server has sent: a line for each frame. Long payloads
// are their length and checksum.
func said(b string) string {
	var out strings.Builder
	for b != "" {
		first, payload, rest, ok := cut(b)
		if !ok {
			fmt.Fprintf(&out, "rest %q\n", b)
			break
		}
		b = rest
		out.WriteString(line(first, payload))
	}
	return out.String()
}

// cut cuts a server's frame, which must not be masked, off b.
func cut(b string) (first byte, payload, rest string, ok bool) {
	if len(b) < 2 || b[1]&0x80 != 0 {
		return 0, "", "", false
	}
	n, at := uint64(b[1]), 2
	switch {
	case n == 126 && len(b) >= 4:
		n, at = uint64(binary.BigEndian.Uint16([]byte(b[2:]))), 4
	case n == 127 && len(b) >= 10:
		n, at = binary.BigEndian.Uint64([]byte(b[2:])), 10
	}
	if uint64(len(b)-at) < n {
		return 0, "", "", false
	}
	return b[0], b[at : at+int(n)], b[at+int(n):], true
}

func line(first byte, p string) string {
	names := map[byte]string{opCont: "cont", opText: "text", opBinary: "binary", opClose: "close", opPing: "ping", opPong: "pong"}
	name := names[first&0xf]
	if first&rsv1 != 0 {
		var err error
		if p, err = inflated(p); err != nil {
			name += " (" + err.Error() + ")"
		}
	}
	if first&fin == 0 || first&(rsv2|rsv3) != 0 || name == "" {
		name += fmt.Sprintf(" %#x", first)
	}
	if first&0xf == opClose && len(p) >= 2 {
		return fmt.Sprintf("%s %d\n", name, binary.BigEndian.Uint16([]byte(p)))
	}
	if len(p) > 100 {
		return fmt.Sprintf("%s %d bytes, %08x\n", name, len(p), crc32.ChecksumIEEE([]byte(p)))
	}
	return fmt.Sprintf("%s %q\n", name, p)
}
