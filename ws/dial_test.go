package ws

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/chunked"
	"weir/client"
	"weir/reactor"
)

// W40: URLs.
func TestParseAddress(t *testing.T) {
	good := []struct{ url, endpoint, path, query string }{
		{"ws://example.com", "http://example.com", "/", ""},
		{"ws://example.com/", "http://example.com", "/", ""},
		{"ws://example.com:8080/chat?a=b&c", "http://example.com:8080", "/chat", "a=b&c"},
		{"wss://example.com/a%20b", "https://example.com", "/a%20b", ""},
		{"wss://example.com:443?q", "https://example.com", "/", "q"},
		{"WSS://EXAMPLE.com/", "https://example.com", "/", ""},
		{"ws://[::1]:80/x", "http://[::1]", "/x", ""},
		{"ws://127.0.0.1:1/é", "http://127.0.0.1:1", "/%C3%A9", ""},
	}
	for _, tt := range good {
		a, err := parseAddress(tt.url)
		if err != nil || a.endpoint.String() != tt.endpoint || a.path != tt.path || a.query != tt.query {
			t.Errorf("%s: got %v %q %q, %v, want %s %q %q", tt.url, a.endpoint, a.path, a.query, err, tt.endpoint, tt.path, tt.query)
		}
	}
	for _, url := range []string{
		"", "example.com", "http://example.com", "ftp://x", "ws:example.com", "ws://", "ws:///path", "ws://u:secret@example.com/",
		"ws://example.com/#", "ws://example.com/#frag", "ws://example.com:0/", "ws://example.com:99999/", "ws://exa mple.com/", "ws://[::1/",
		"ws://u:secret@[::1/", "ws://u:secret@exa mple.com/",
	} {
		if _, err := parseAddress(url); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v, want an error without secrets", url, err)
		}
	}
}

// W40: the request of RFC 6455 4.1.
func TestDialRequest(t *testing.T) {
	atQuay(t, func(q *quay) {
		keys := map[string]bool{}
		for range 3 {
			d := q.dial(DialOptions{
				Options: Options{Subprotocols: []string{"v2.chat", "chat"}, Deflate: true},
				Header:  []client.Field{client.NewField("Origin", "https://example.com"), client.NewField("Authorization", "Bearer x")},
			})
			r, h := d.server.request, d.server.request.Header
			if r.Method != "GET" || r.RequestURI != "/chat?x=1" || r.Proto != "HTTP/1.1" || r.Host != "127.0.0.1:8000" || r.ContentLength != 0 {
				t.Errorf("got %s %s %s for %s", r.Method, r.RequestURI, r.Proto, r.Host)
			}
			for name, want := range map[string]string{
				"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Version": "13", "Sec-Websocket-Protocol": "v2.chat, chat",
				"Sec-Websocket-Extensions": "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
				"Origin":                   "https://example.com", "Authorization": "Bearer x",
			} {
				if got := h[name]; len(got) != 1 || got[0] != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			key := h.Get("Sec-WebSocket-Key")
			if !validKey(key) || keys[key] {
				t.Errorf("got the key %q, want another one of 16 bytes", key)
			}
			keys[key] = true
			d.server.say("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			if err := d.failed(); err == nil {
				t.Error("got no error")
			}
			d.server.hungUp()
		}
	})
	atQuay(t, func(q *quay) {
		d := q.dial(DialOptions{})
		if h := d.server.request.Header; h["Sec-Websocket-Protocol"] != nil || h["Sec-Websocket-Extensions"] != nil || h["Origin"] != nil {
			t.Errorf("got %v, want no offers", h)
		}
		d.server.c.Reset()
		if err := d.failed(); !errors.Is(err, client.ErrNoResponse) {
			t.Errorf("got %v, want ErrNoResponse", err)
		}
	})
}

// W41, W42: what a client must check in the response (RFC 6455 4.1, RFC 7692 5.1
// and 7.1).
func TestDialResponse(t *testing.T) {
	const (
		ok      = "HTTP/1.1 101 Switching Protocols\r\n"
		upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
		accept  = "Sec-WebSocket-Accept: ACCEPT\r\n"
		good    = ok + upgrade + accept
		deflate = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover"
	)
	tests := []struct {
		name, response string
		protocol       string
		deflates       bool
		err            string // "" = it opens
	}{
		{name: "plain", response: good},
		{name: "other cases", response: ok + "upgrade: WebSocket\r\nCONNECTION: keep-alive, upgrade\r\n" + accept},
		{name: "white space around the accept value", response: ok + upgrade + "Sec-WebSocket-Accept: \t ACCEPT \r\n"},
		{name: "interim response before it", response: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + good},
		{name: "no Upgrade", response: ok + "Connection: Upgrade\r\n" + accept, err: "want Upgrade: websocket"},
		{name: "another protocol", response: ok + "Upgrade: h2c\r\nConnection: Upgrade\r\n" + accept, err: `got ["h2c"]`},
		{name: "two protocols", response: ok + "Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n" + accept, err: "want Upgrade"},
		{name: "Upgrade twice", response: ok + upgrade + "Upgrade: websocket\r\n" + accept, err: "want Upgrade"},
		{name: "no Connection", response: ok + "Upgrade: websocket\r\n" + accept, err: "want Connection: Upgrade"},
		{name: "Connection without upgrade", response: ok + "Upgrade: websocket\r\nConnection: keep-alive\r\n" + accept, err: "want Connection"},
		{name: "no accept value", response: ok + upgrade, err: "Sec-WebSocket-Accept"},
		{name: "another's accept value", response: ok + upgrade + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", err: "does not belong"},
		{name: "accept value in another case", response: ok + upgrade + "Sec-WebSocket-Accept: LOWER\r\n", err: "does not belong"},
		{name: "accept value twice", response: good + accept, err: "does not belong"},
		{name: "the key as accept value", response: ok + upgrade + "Sec-WebSocket-Accept: KEY\r\n", err: "does not belong"},
		{name: "a subprotocol", response: good + "Sec-WebSocket-Protocol: chat\r\n", protocol: "chat"},
		{name: "a subprotocol in another case", response: good + "Sec-WebSocket-Protocol: Chat\r\n", err: "not offered"},
		{name: "a subprotocol that was not offered", response: good + "Sec-WebSocket-Protocol: other\r\n", err: "not offered"},
		{name: "an empty subprotocol", response: good + "Sec-WebSocket-Protocol: \r\n", err: "not offered"},
		{name: "two subprotocols", response: good + "Sec-WebSocket-Protocol: chat, v2.chat\r\n", err: "not offered"},
		{name: "two lines of subprotocols", response: good + "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n", err: "not offered"},
		{name: "an empty list of extensions", response: good + "Sec-WebSocket-Extensions: \r\n"},
		{name: "deflate", response: good + deflate + "\r\n", deflates: true},
		{name: "deflate, both sides without context", response: good + deflate + "; client_no_context_takeover\r\n", deflates: true},
		{name: "deflate, a smaller window of the server", response: good + deflate + "; server_max_window_bits=8\r\n", deflates: true},
		{name: "deflate, a quoted window", response: good + deflate + "; server_max_window_bits=\"10\"\r\n", deflates: true},
		{name: "deflate with the server's context", response: good + "Sec-WebSocket-Extensions: permessage-deflate\r\n", err: "as it was offered"},
		{name: "deflate, a window for the client", response: good + deflate + "; client_max_window_bits=10\r\n", err: "as it was offered"},
		{name: "deflate, a window without a size", response: good + deflate + "; server_max_window_bits\r\n", err: "as it was offered"},
		{name: "deflate, a window of 7 bits", response: good + deflate + "; server_max_window_bits=7\r\n", err: "as it was offered"},
		{name: "deflate, a window of 16 bits", response: good + deflate + "; server_max_window_bits=16\r\n", err: "as it was offered"},
		{name: "deflate, a value where none belongs", response: good + deflate + "=1\r\n", err: "as it was offered"},
		{name: "deflate, a parameter twice", response: good + deflate + "; server_no_context_takeover\r\n", err: "as it was offered"},
		{name: "deflate, an unknown parameter", response: good + deflate + "; x\r\n", err: "as it was offered"},
		{name: "deflate twice", response: good + deflate + ", permessage-deflate; server_no_context_takeover\r\n", err: "not offered"},
		{name: "another extension", response: good + "Sec-WebSocket-Extensions: x-webkit-deflate-frame\r\n", err: "not offered"},
		{name: "malformed extensions", response: good + "Sec-WebSocket-Extensions: permessage-deflate;\r\n", err: "malformed"},
		{name: "a redirect", response: "HTTP/1.1 301 Moved Permanently\r\nLocation: /\r\nContent-Length: 0\r\n", err: "status 301"},
		{name: "a plain response", response: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", err: "status 200: want 101"},
		{name: "unauthorized", response: "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n", err: "status 401"},
		{name: "a head that is too long", response: good + "X: " + strings.Repeat("x", 40_000) + "\r\n", err: "http1"},
		{name: "not HTTP", response: "SSH-2.0-x\r\n", err: "http1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			atQuay(t, func(q *quay) {
				d := q.dial(DialOptions{Options: Options{Subprotocols: []string{"v2.chat", "chat"}, Deflate: true}})
				key := d.server.request.Header.Get("Sec-WebSocket-Key")
				d.server.say(strings.NewReplacer("ACCEPT", acceptKey(key), "LOWER", strings.ToLower(acceptKey(key)), "KEY", key).Replace(tt.response) + "\r\n")
				if tt.err != "" {
					if err := d.failed(); !strings.Contains(err.Error(), tt.err) {
						t.Errorf("got %v, want an error with %q", err, tt.err)
					}
					return
				}
				c := d.opened()
				if c.Subprotocol() != tt.protocol || c.Deflates() != tt.deflates {
					t.Errorf("got %q and %v, want %q and %v", c.Subprotocol(), c.Deflates(), tt.protocol, tt.deflates)
				}
			})
		})
	}
}

// W41: nothing is chosen if nothing was offered.
func TestDialOffersNothing(t *testing.T) {
	for _, field := range []string{"Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover"} {
		atQuay(t, func(q *quay) {
			d := q.dial(DialOptions{})
			d.server.say(d.server.accepts(field))
			if err := d.failed(); !strings.Contains(err.Error(), "not offered") {
				t.Errorf("got %v, want that it was not offered", err)
			}
		})
	}
}

// W42: the body of another response is part of the error, up to a bound.
func TestDialRefusal(t *testing.T) {
	for _, size := range []int{0, 10, longestRefusal - 1, longestRefusal, longestRefusal + 1, 100_000} {
		atQuay(t, func(q *quay) {
			d := q.dial(DialOptions{})
			body := strings.Repeat("x", size)
			d.server.say("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n")
			if size > 0 {
				d.server.say(string(chunked.AppendChunk(nil, []byte(body))))
			}
			if size < longestRefusal {
				d.server.say("0\r\n\r\n")
			}
			e, ok := errors.AsType[*HandshakeError](d.failed())
			if !ok || e.Status != 403 || string(e.Body) != body[:min(size, longestRefusal)] {
				t.Errorf("%d bytes: got %v with %d of them", size, e, len(e.Body))
			}
		})
	}
}

// W42: it is the error also if its body does not end, or not well.
func TestDialRefusalWithoutEnd(t *testing.T) {
	for name, end := range map[string]func(q *quay, s *shore, cancel func()){
		"time":     func(q *quay, _ *shore, _ func()) { q.after(DefaultTimeout) },
		"context":  func(_ *quay, _ *shore, cancel func()) { cancel() },
		"closed":   func(_ *quay, s *shore, _ func()) { s.c.Close() },
		"reset":    func(_ *quay, s *shore, _ func()) { s.c.Reset() },
		"nonsense": func(_ *quay, s *shore, _ func()) { s.say("no chunk") },
	} {
		t.Run(name, func(t *testing.T) {
			atQuay(t, func(q *quay) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				d := q.dialIn(ctx, DialOptions{})
				d.server.say("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nnot you\r\n")
				end(q, d.server, cancel)
				e, ok := errors.AsType[*HandshakeError](d.failed())
				if !ok || e.Status != 403 || string(e.Body) != "not you" {
					t.Errorf("got %v, want the refusal", e)
				}
			})
		})
	}
}

// W42: a server that disconnects before its response is complete.
func TestDialServerEnds(t *testing.T) {
	for _, tt := range []struct {
		said string
		want error
	}{{"", client.ErrNoResponse}, {"HTTP/1.1 101 Switch", client.ErrTruncated}, {"HTTP/1.1 100 Continue\r\n\r\n", client.ErrTruncated}} {
		for name, end := range map[string]func(*shore){"closed": func(s *shore) { s.c.Close() }, "reset": func(s *shore) { s.c.Reset() }} {
			atQuay(t, func(q *quay) {
				d := q.dial(DialOptions{})
				d.server.say(tt.said)
				end(d.server)
				if err := d.failed(); !errors.Is(err, tt.want) {
					t.Errorf("%s behind %q: got %v, want %v", name, tt.said, err, tt.want)
				}
			})
		}
	}
}

// W43: the response may be cut anywhere, and the first frames be in the segment
// of its end.
func TestDialCut(t *testing.T) {
	const frames = "\x81\x05hello\x82\x01!"
	length := 0
	for cut := 0; cut == 0 || cut < length; cut++ {
		atQuay(t, func(q *quay) {
			d := q.dial(DialOptions{})
			all := d.server.accepts() + frames
			length = len(all)
			d.server.say(all[:cut])
			d.server.say(all[cut:])
			c := d.opened()
			if one, two := q.read(c), q.read(c); one != "text hello" || two != "binary !" {
				t.Errorf("cut at %d: got %q and %q", cut, one, two)
			}
		})
	}
}

// W44: what is sent is masked, each frame otherwise (RFC 6455 5.3).
func TestDialMasks(t *testing.T) {
	atQuay(t, func(q *quay) {
		c, s := q.open(DialOptions{})
		masks := map[string]bool{}
		for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
			for range 3 {
				if err := c.Send(Binary, make([]byte, n)); err != nil {
					t.Fatal(err)
				}
				var raw []byte
				for buf := make([]byte, 1<<17); len(raw) < n+2; {
					k, err := s.c.Read(buf)
					if raw = append(raw, buf[:k]...); err != nil {
						t.Fatal(err)
					}
				}
				var h head
				at, err := h.parse(raw, rules{masked: true, room: maxSize})
				if err != nil || h.length != int64(n) || len(raw) != at+n {
					t.Fatalf("%d bytes: got a frame of %d at %d of %d, %v", n, h.length, at, len(raw), err)
				}
				if masks[string(h.mask[:])] {
					t.Errorf("mask %x was used before", h.mask)
				}
				masks[string(h.mask[:])] = true
			}
		}
	})
}

// A message each way, of both kinds, in pieces, and pings.
func TestDialMessages(t *testing.T) {
	atQuay(t, func(q *quay) {
		c, s := q.open(DialOptions{})
		if err := errors.Join(c.Send(Text, []byte("zwölf")), c.TrySend(Binary, nil)); err != nil {
			t.Error(err)
		}
		s.expects("text zwölf", "binary ")
		s.frame(0x01, "one ")
		s.frame(0x89, "are you there")
		s.frame(0x00, "two ")
		s.frame(0x80, "three")
		if got := q.read(c); got != "text one two three" {
			t.Errorf("got %q", got)
		}
		s.expects("pong are you there")
		if c.RemoteAddr().Port() != 8000 || c.Err() != nil {
			t.Errorf("got %v, %v, want the server's address and no error", c.RemoteAddr(), c.Err())
		}
	})
}

// Both sides compress, each message on its own.
func TestDialDeflate(t *testing.T) {
	atQuay(t, func(q *quay) {
		c, s := q.open(DialOptions{Options: Options{Deflate: true, DeflateMin: -1}}, "Sec-WebSocket-Extensions: "+deflateOffer)
		long := strings.Repeat("la", 1000)
		for range 2 {
			if err := c.Send(Text, []byte(long)); err != nil {
				t.Error(err)
			}
		}
		s.expects("deflated text "+long[:100], "deflated text "+long[:100])
		s.frame(0xc1, string(appendDeflated(nil, []byte(long), maxWindow)))
		s.frame(0x81, "plain")
		if one, two := q.read(c), q.read(c); one != "text "+long[:100] || two != "text plain" {
			t.Errorf("got %q and %q", one, two)
		}
	})
}

// W45: what a server must not send ends the connection with the code of RFC 6455
// 7.4.
func TestDialRefusesFrames(t *testing.T) {
	tests := []struct {
		name, sent, want string
	}{
		{"masked", "\x81\x81abcd\x00", "close 1002 masked frame from a server"},
		{"reserved bit", "\xc1\x00", "close 1002 reserved bit"},
		{"reserved opcode", "\x83\x00", "close 1002 reserved opcode"},
		{"continuation of nothing", "\x80\x00", "close 1002 continuation of no message"},
		{"not UTF-8", "\x81\x01\xff", "close 1007 text is not UTF-8"},
		{"too big", "\x82\x7e\x01\x01", "close 1009 message too big"},
		{"invalid close code", "\x88\x02\x03\xed", "close 1002 invalid close code"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			atQuay(t, func(q *quay) {
				c, s := q.open(DialOptions{Options: Options{MaxMessage: 256}})
				s.say("\x81\x02ok" + tt.sent)
				if got := q.read(c); got != "text ok" {
					t.Errorf("got %q, want what came before", got)
				}
				_, _, err := c.Read()
				e, ok := errors.AsType[*CloseError](err)
				if !ok || e.Remote {
					t.Errorf("got %v, want this side's Close", err)
				}
				s.expects(tt.want)
				s.hungUp()
				<-c.Done()
			})
		})
	}
}

// Each side may close first; the code and the reason arrive.
func TestDialClose(t *testing.T) {
	t.Run("the server", func(t *testing.T) {
		atQuay(t, func(q *quay) {
			c, s := q.open(DialOptions{})
			s.frame(0x88, "\x0f\xa1bye")
			_, _, err := c.Read()
			if e, ok := errors.AsType[*CloseError](err); !ok || e.Code != 4001 || e.Reason != "bye" || !e.Remote {
				t.Errorf("got %v, want the server's Close", err)
			}
			s.expects("close 4001")
			s.hungUp()
			<-c.Done()
			if err := c.Send(Text, nil); err == nil {
				t.Error("Send after the end: got no error")
			}
		})
	})
	t.Run("the client", func(t *testing.T) {
		atQuay(t, func(q *quay) {
			c, s := q.open(DialOptions{})
			if err := errors.Join(c.Send(Text, []byte("last")), c.Close(Normal, "done")); err != nil {
				t.Error(err)
			}
			if err := c.Send(Text, nil); !errors.Is(err, ErrClosed) {
				t.Errorf("Send after Close: got %v, want ErrClosed", err)
			}
			s.expects("text last", "close 1000 done")
			s.frame(0x88, "\x03\xe8")
			s.hungUp()
			<-c.Done()
			if _, _, err := c.Read(); CodeOf(err) != Normal {
				t.Errorf("got %v, want 1000", err)
			}
		})
	})
	t.Run("the server does not respond", func(t *testing.T) {
		atQuay(t, func(q *quay) {
			c, s := q.open(DialOptions{Options: Options{CloseTimeout: 3 * time.Second}})
			if err := c.Close(Normal, ""); err != nil {
				t.Error(err)
			}
			s.expects("close 1000")
			q.after(2 * time.Second)
			if s.c.Pending() != 0 {
				t.Error("the client has not waited")
			}
			q.after(2 * time.Second)
			s.hungUp()
			<-c.Done()
		})
	})
}

// W47: the server's end without a Close is 1006, and its cause is known.
func TestDialLost(t *testing.T) {
	for name, end := range map[string]func(s *shore){
		"closed": func(s *shore) { s.c.Close() },
		"reset":  func(s *shore) { s.c.Reset() },
		"closed inside a message": func(s *shore) {
			s.say("\x01\x05he")
			s.c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			atQuay(t, func(q *quay) {
				c, s := q.open(DialOptions{})
				s.frame(0x82, "first")
				end(s)
				if got := q.read(c); got != "binary first" {
					t.Errorf("got %q, want what came before", got)
				}
				if _, _, err := c.Read(); !errors.Is(err, ErrServerGone) || CodeOf(err) != Abnormal {
					t.Errorf("got %v, want ErrServerGone", err)
				}
				<-c.Done()
				if err := c.Send(Text, nil); !errors.Is(err, ErrServerGone) {
					t.Errorf("Send: got %v, want the cause", err)
				}
			})
		})
	}
}

// W47: a server that is silent from one ping to the next is disconnected.
func TestDialPings(t *testing.T) {
	atQuay(t, func(q *quay) {
		c, s := q.open(DialOptions{Options: Options{Ping: 10 * time.Second}})
		for range 3 {
			q.after(10*time.Second + time.Millisecond)
			s.expects("ping ")
			s.frame(0x8a, "")
		}
		q.after(10 * time.Second)
		s.expects("ping ")
		q.after(10*time.Second + time.Millisecond)
		if err := c.Err(); !errors.Is(err, ErrNoPong) || !errors.Is(err, ErrServerGone) {
			t.Errorf("got %v, want ErrNoPong", err)
		}
		<-c.Done()
	})
}

// Above the high mark TrySend refuses and Send waits; what the server sends is
// not read meanwhile.
func TestDialBacklog(t *testing.T) {
	atQuay(t, func(q *quay) {
		c, s := q.open(DialOptions{})
		s.c.SetWindow(0)
		piece := make([]byte, 64<<10)
		n := 0
		for ; n < 100; n++ {
			if err := c.TrySend(Binary, piece); err != nil {
				break
			}
		}
		if n == 100 {
			t.Fatal("TrySend has no bound")
		}
		sent := make(chan error, 1)
		go func() { sent <- c.Send(Text, []byte("behind it")) }()
		s.c.SetWindow(1 << 30)
		got := s.hears()
		if err := <-sent; err != nil {
			t.Error(err)
		}
		got = append(got, s.hears()...)
		if len(got) != n+1 || got[n] != "text behind it" {
			t.Errorf("got %d messages, want %d and the last", len(got), n)
		}
	})
}

// Many goroutines send, and one closes: frames are whole and in each one's order,
// and nothing follows the Close.
func TestDialThreads(t *testing.T) {
	atQuay(t, func(q *quay) {
		c, s := q.open(DialOptions{})
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for n := range 100 {
					if i == 7 && n == 50 {
						if err := c.Close(Normal, ""); err != nil {
							t.Error(err)
						}
					}
					if err := c.Send(Text, fmt.Appendf(nil, "%d %d", i, n)); err != nil && !errors.Is(err, ErrClosed) {
						t.Errorf("got %v, want ErrClosed", err)
					}
				}
			})
		}
		all.Wait()
		got, last := s.hears(), map[int]int{}
		for _, text := range got[:len(got)-1] {
			var i, n int
			if _, err := fmt.Sscanf(text, "text %d %d", &i, &n); err != nil || n != last[i] {
				t.Fatalf("got %q, %v behind %d", text, err, last[i])
			}
			last[i]++
		}
		if got[len(got)-1] != "close 1000" {
			t.Errorf("got %q last, want the Close", got[len(got)-1])
		}
	})
}

// Functions instead of Read, on a goroutine or on the loop.
func TestDialHandler(t *testing.T) {
	for _, inline := range []bool{false, true} {
		atQuay(t, func(q *quay) {
			h := newNotes()
			h.echo = true
			_, s := q.open(DialOptions{Options: Options{Inline: inline}, Handler: h})
			s.frame(0x81, "hello")
			s.expects("text hello")
			s.frame(0x88, "\x03\xe9going")
			s.expects("close 1001")
			s.hungUp()
			if got, want := strings.Join(h.noted(), "|"), "text hello|end: ws: peer closed with 1001: going|over"; got != want {
				t.Errorf("inline %v: got %q, want %q", inline, got, want)
			}
		})
	}
}

// W17: a client's handler that panics costs its connection, and the server gets
// 1011.
func TestDialHandlerPanics(t *testing.T) {
	for _, inline := range []bool{false, true} {
		atQuay(t, func(q *quay) {
			h := &panicker{*newNotes()}
			c, s := q.open(DialOptions{Options: Options{Inline: inline}, Handler: h})
			s.say(serverFrame(0x81, "one") + serverFrame(0x81, "two"))
			s.expects("close 1011")
			s.frame(0x88, "\x03\xf3")
			s.hungUp()
			<-c.Done()
			if got := h.noted(); len(got) != 2 || !strings.Contains(got[0], "panicked: as asked") {
				t.Errorf("inline %v: got %q, want the end alone", inline, got)
			}
			if got := q.log.String(); strings.Count(got, "panicked: as asked") != 1 {
				t.Errorf("inline %v: got the log %q, want the panic", inline, got)
			}
		})
	}
}

type panicker struct{ notes }

func (*panicker) OnMessage(*Conn, Kind, []byte) { panic("as asked") }

// W46: the handshake is bounded by Timeout and by the context, which do nothing
// later.
func TestDialTime(t *testing.T) {
	atQuay(t, func(q *quay) {
		began := time.Now()
		d := q.dial(DialOptions{})
		q.after(DefaultTimeout - time.Millisecond)
		if len(d.result) > 0 {
			t.Error("Dial has returned early")
		}
		q.after(time.Millisecond)
		if err := d.failed(); !errors.Is(err, ErrHandshakeTimeout) || time.Since(began) != DefaultTimeout {
			t.Errorf("got %v after %v, want ErrHandshakeTimeout", err, time.Since(began))
		}
		d.server.hungUp()
	})
	why := errors.New("enough")
	atQuay(t, func(q *quay) {
		ctx, cancel := context.WithCancelCause(context.Background())
		d := q.dialIn(ctx, DialOptions{Timeout: -1})
		d.server.say("HTTP/1.1 101 Switch")
		cancel(why)
		if err := d.failed(); !errors.Is(err, why) {
			t.Errorf("got %v, want the context's cause", err)
		}
		d.server.hungUp()
		if _, err := Dial(ctx, quayURL, nil); !errors.Is(err, why) {
			t.Errorf("got %v, want the context's cause", err)
		}
	})
	atQuay(t, func(q *quay) {
		ctx, cancel := context.WithCancel(context.Background())
		d := q.dialIn(ctx, DialOptions{Timeout: time.Second})
		d.server.say(d.server.accepts())
		c := d.opened()
		cancel()
		q.after(5 * time.Second)
		if c.Err() != nil || c.Send(Text, []byte("x")) != nil {
			t.Errorf("got %v, want a connection that lives on", c.Err())
		}
	})
}

// W40: what is wrong with the arguments; and a server that is not there.
func TestDialErrors(t *testing.T) {
	atQuay(t, func(q *quay) {
		for _, tt := range []struct {
			url  string
			o    DialOptions
			want string
		}{
			{"http://x", DialOptions{}, "not a WebSocket's URL"},
			{quayURL, DialOptions{Options: Options{Subprotocols: []string{"a b"}}}, "Subprotocols"},
			{quayURL, DialOptions{Header: []client.Field{client.NewField("Sec-WebSocket-Key", "x")}}, "handshake's own"},
			{quayURL, DialOptions{Header: []client.Field{client.NewField("Upgrade", "x")}}, "handshake's own"},
			{quayURL, DialOptions{Header: []client.Field{client.NewField("host", "x")}}, "handshake's own"},
			{quayURL, DialOptions{Header: []client.Field{client.NewField("X", "a\r\nb")}}, "DialOptions.Header"},
			{"ws://127.0.0.1:9/", DialOptions{}, "cannot connect"},
		} {
			tt.o.Loop = q.loop()
			if _, err := Dial(q.Context(), tt.url, &tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s, %v: got %v, want %q", tt.url, tt.o, err, tt.want)
			}
		}
	})
}

// A loop that has stopped fails a Dial, and ends a connection.
func TestDialStoppedLoop(t *testing.T) {
	atQuay(t, func(q *quay) {
		c, _ := q.open(DialOptions{})
		q.r.Close()
		if _, _, err := c.Read(); !errors.Is(err, reactor.ErrStopped) {
			t.Errorf("got %v, want ErrStopped", err)
		}
		if _, err := Dial(q.Context(), quayURL, &DialOptions{Loop: q.loop()}); !errors.Is(err, reactor.ErrStopped) {
			t.Errorf("got %v, want ErrStopped", err)
		}
	})
}

// DialOn never waits, can be cancelled, and has its own time.
func TestDialOn(t *testing.T) {
	start := func(q *quay, o DialOptions) (results chan result, cancel func()) {
		q.Helper()
		results = make(chan result, 2)
		q.do(func() {
			var err error
			if cancel, err = DialOn(q.loop(), quayURL, &o, func(c *Conn, err error) { results <- result{c, err} }); err != nil {
				q.Error(err)
			}
		})
		return results, cancel
	}
	atQuay(t, func(q *quay) {
		h := newNotes()
		results, cancel := start(q, DialOptions{Options: Options{Inline: true}, Handler: h})
		s := q.accept()
		s.say(s.accepts() + "\x81\x02hi")
		r := <-results
		if r.err != nil {
			t.Fatal(r.err)
		}
		q.do(cancel) // too late
		if got := h.noted(); strings.Join(got, "|") != "text hi" || r.conn.Err() != nil {
			t.Errorf("got %q, %v, want the message", got, r.conn.Err())
		}
	})
	atQuay(t, func(q *quay) {
		results, cancel := start(q, DialOptions{})
		s := q.accept()
		q.do(cancel)
		q.do(cancel)
		if r := <-results; !errors.Is(r.err, client.ErrCancelled) || len(results) > 0 {
			t.Errorf("got %v, want ErrCancelled once", r.err)
		}
		s.hungUp()
	})
	atQuay(t, func(q *quay) {
		results, _ := start(q, DialOptions{Timeout: time.Second})
		s := q.accept()
		q.after(time.Second + time.Millisecond)
		if r := <-results; !errors.Is(r.err, ErrHandshakeTimeout) {
			t.Errorf("got %v, want ErrHandshakeTimeout", r.err)
		}
		s.hungUp()
	})
	atQuay(t, func(q *quay) {
		q.kernel.FailDialsTo("127.0.0.1:8000", syscall.ENETUNREACH)
		q.do(func() { // what is known at once is returned, and done not called
			if _, err := DialOn(q.loop(), "nonsense", nil, nil); err == nil {
				t.Error("got no error")
			}
			if _, err := DialOn(q.loop(), quayURL, nil, nil); !errors.Is(err, client.ErrConnect) {
				t.Errorf("got %v, want ErrConnect", err)
			}
		})
	})
}

// W17: a panic of the function given to DialOn costs the connection that it is
// called with.
func TestDialOnPanics(t *testing.T) {
	atQuay(t, func(q *quay) {
		h := newNotes()
		var c *Conn
		q.do(func() {
			_, err := DialOn(q.loop(), quayURL, &DialOptions{Handler: h}, func(conn *Conn, _ error) { c = conn; panic("as asked") })
			if err != nil {
				t.Error(err)
			}
		})
		s := q.accept()
		s.say(s.accepts() + "\x81\x02hi")
		s.expects("close 1011")
		s.hungUp()
		<-c.Done()
		if got := h.noted(); len(got) != 2 || !strings.Contains(got[0], "panicked: as asked") {
			t.Errorf("got %q, want the end alone", got)
		}
	})
}

// Proxies are not used, and nothing goes around one that is to be used. The
// environment is read once a process.
func TestDialProxied(t *testing.T) {
	const mark = "WEIR_TEST_PROXIED"
	if os.Getenv(mark) == "" {
		c := exec.Command(os.Args[0], "-test.run", "^TestDialProxied$")
		c.Env = append(os.Environ(), mark+"=1", "HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=direct.test")
		if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for url, want := range map[string]bool{"wss://llm.test/": true, "wss://direct.test/": false, "ws://llm.test/": false} {
		_, err := new(DialOptions).prepare(url)
		if got := err != nil && strings.Contains(err.Error(), "NO_PROXY"); got != want {
			t.Errorf("%s: got %v, want an error: %v", url, err, want)
		}
	}
}
