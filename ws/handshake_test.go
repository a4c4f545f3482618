package ws_test

import (
	"strings"
	"testing"

	"weir"
	"weir/ws"
)

// W10, X149, X150 (RFC 6455 4.2): what a request must be. Each line replaces the one of that name, or adds one; "-" removes it.
func TestHandshake(t *testing.T) {
	o := ws.Options{Subprotocols: []string{"chat.v2", "chat"}, Origins: []string{"HTTPS://App.example", "https://port.example:443", "app://local"}, Deflate: true}
	for _, tt := range []struct {
		name    string
		line    string // the request line, if it is another
		changes []string
		want    string   // status
		fields  []string // of the response
	}{
		{name: "good", want: "101"},
		{name: "any case", changes: []string{"upgrade: WebSocket", "CONNECTION: UPGRADE"}, want: "101"},
		{name: "lists over lines", changes: []string{"Upgrade: h2c", "+Upgrade: websocket", "Connection: close", "+Connection: foo, upgrade"}, want: "101"},
		{name: "no Upgrade", changes: []string{"-Upgrade"}, want: "426", fields: []string{"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"}},
		{name: "another Upgrade", changes: []string{"Upgrade: h2c"}, want: "426"},
		{name: "Upgrade with a version", changes: []string{"Upgrade: websocket/13"}, want: "426"},
		{name: "no Connection", changes: []string{"-Connection"}, want: "426"},
		{name: "Connection without upgrade", changes: []string{"Connection: keep-alive"}, want: "426"},
		{name: "no version", changes: []string{"-Sec-WebSocket-Version"}, want: "426"},
		{name: "version 8", changes: []string{"Sec-WebSocket-Version: 8"}, want: "426", fields: []string{"Sec-WebSocket-Version: 13"}},
		{name: "version 013", changes: []string{"Sec-WebSocket-Version: 013"}, want: "426"},
		{name: "versions", changes: []string{"Sec-WebSocket-Version: 13, 8"}, want: "426"},
		{name: "version twice", changes: []string{"+Sec-WebSocket-Version: 13"}, want: "426"},
		{name: "no key", changes: []string{"-Sec-WebSocket-Key"}, want: "400"},
		{name: "two keys", changes: []string{"+Sec-WebSocket-Key: " + key}, want: "400"},
		{name: "empty key", changes: []string{"Sec-WebSocket-Key:"}, want: "400"},
		{name: "key of 15 bytes", changes: []string{"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"}, want: "400"},
		{name: "key of 17 bytes", changes: []string{"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="}, want: "400"},
		{name: "key not base64", changes: []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!=="}, want: "400"},
		{name: "key with stray bits", changes: []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="}, want: "400"},
		{name: "key with a comma", changes: []string{"Sec-WebSocket-Key: " + key + ", " + key}, want: "400"},
		{name: "HTTP/1.0", line: "GET /ws HTTP/1.0", want: "400"},
		{name: "POST", line: "POST /ws HTTP/1.1", changes: []string{"Content-Length: 0"}, want: "405", fields: []string{"Allow: GET"}},
		{name: "HEAD", line: "HEAD /ws HTTP/1.1", want: "405"},
		{name: "a body", changes: []string{"Content-Length: 5"}, want: "400"},
		{name: "a chunked body", changes: []string{"Transfer-Encoding: chunked"}, want: "400"},
		{name: "no Host", changes: []string{"-Host"}, want: "400"},

		{name: "the same origin", changes: []string{"Origin: http://test"}, want: "101"},
		{name: "the same origin over TLS", changes: []string{"Origin: https://TEST"}, want: "101"},
		{name: "the same origin with a port", changes: []string{"Origin: https://test:443"}, want: "101"},
		{name: "an origin of the options", changes: []string{"Origin: https://app.example"}, want: "101"},
		{name: "an origin of the options with its scheme's port", changes: []string{"Origin: https://port.example"}, want: "101"},
		{name: "an origin of the options that has another scheme", changes: []string{"Origin: app://local"}, want: "101"},
		{name: "the host in a scheme that is not the web's", changes: []string{"Origin: app://test"}, want: "403"},
		{name: "another origin", changes: []string{"Origin: https://evil.example"}, want: "403"},
		{name: "another scheme of the options' origin", changes: []string{"Origin: http://app.example"}, want: "403"},
		{name: "another port of the options' origin", changes: []string{"Origin: https://app.example:8443"}, want: "403"},
		{name: "another port", changes: []string{"Origin: http://test:8080"}, want: "403"},
		{name: "a suffix", changes: []string{"Origin: http://nottest"}, want: "403"},
		{name: "a prefix", changes: []string{"Origin: http://test.evil.example"}, want: "403"},
		{name: "user information", changes: []string{"Origin: http://test@evil.example"}, want: "403"},
		{name: "a path", changes: []string{"Origin: http://test/"}, want: "403"},
		{name: "null", changes: []string{"Origin: null"}, want: "403"},
		{name: "empty", changes: []string{"Origin:"}, want: "403"},
		{name: "no scheme", changes: []string{"Origin: test"}, want: "403"},
		{name: "another kind of scheme", changes: []string{"Origin: file://test"}, want: "403"},
		{name: "two origins", changes: []string{"Origin: http://test", "+Origin: http://test"}, want: "403"},
		{name: "two origins in a line", changes: []string{"Origin: http://test http://evil.example"}, want: "403"},
		{name: "a list of origins", changes: []string{"Origin: http://test, http://evil.example"}, want: "403"},

		{name: "a subprotocol", changes: []string{"Sec-WebSocket-Protocol: chat"}, want: "101", fields: []string{"Sec-WebSocket-Protocol: chat"}},
		{name: "the preferred subprotocol", changes: []string{"Sec-WebSocket-Protocol: chat, chat.v2"}, want: "101", fields: []string{"Sec-WebSocket-Protocol: chat.v2"}},
		{name: "subprotocols over lines", changes: []string{"Sec-WebSocket-Protocol: x", "+Sec-WebSocket-Protocol: chat.v2"}, want: "101", fields: []string{"Sec-WebSocket-Protocol: chat.v2"}},
		{name: "none that is known", changes: []string{"Sec-WebSocket-Protocol: Chat"}, want: "101", fields: []string{"!Sec-WebSocket-Protocol"}},
		{name: "a subprotocol twice", changes: []string{"Sec-WebSocket-Protocol: chat, chat"}, want: "400"},
		{name: "a subprotocol that is not a token", changes: []string{"Sec-WebSocket-Protocol: chat chat"}, want: "400"},
		{name: "header injection by a subprotocol", changes: []string{"Sec-WebSocket-Protocol: chat\rX: y"}, want: "400", fields: []string{"!X"}},
		{name: "header injection by an encoded subprotocol", changes: []string{"Sec-WebSocket-Protocol: chat%0d%0aX:y"}, want: "400", fields: []string{"!X"}},
		{name: "header injection by an extension", changes: []string{"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"10\\\r\\\nX: y\""}, want: "400", fields: []string{"!X"}},
		{name: "quoted controls in an extension", changes: []string{"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"1\\0;x\""}, want: "101", fields: []string{"!Sec-WebSocket-Extensions"}},
		{name: "an extension", changes: []string{"Sec-WebSocket-Extensions: permessage-deflate"}, want: "101", fields: []string{"Sec-WebSocket-Extensions: " + agreed}},
	} {
		for _, way := range ways {
			t.Run(way+", "+tt.name, func(t *testing.T) {
				at(t, echoes(way, o), nil, func(d *table) {
					c := d.Dial()
					c.Send(changed(tt.line, tt.changes))
					if strings.Contains(tt.name, "body") {
						c.Send("0\r\n\r\n")
					}
					head, _, _ := strings.Cut(c.Received(), "\r\n\r\n")
					if _, status, _ := strings.Cut(head, " "); !strings.HasPrefix(status, tt.want) {
						t.Errorf("got %q, want %s", head, tt.want)
					}
					if lines := strings.Count(head, "HTTP/1.1 "); lines != 1 {
						t.Errorf("got %d status lines", lines)
					}
					for _, f := range tt.fields {
						name, absent := strings.CutPrefix(f, "!")
						if has := strings.Contains(head+"\r\n", "\r\n"+name); has == absent {
							t.Errorf("got %q, want %s", head, f)
						}
					}
					c.Close()
				})
			})
		}
	}
}

// changed is a good request with changes.
func changed(line string, changes []string) string {
	lines := strings.Split(strings.TrimSuffix(ask("/ws"), "\r\n\r\n"), "\r\n")
	if line != "" {
		lines[0] = line
	}
	for _, change := range changes {
		name, _, _ := strings.Cut(strings.TrimLeft(change, "+-"), ":")
		kept := lines[:1:1]
		for _, l := range lines[1:] {
			if n, _, _ := strings.Cut(l, ":"); change[0] == '+' || !strings.EqualFold(n, name) {
				kept = append(kept, l)
			}
		}
		if lines = kept; change[0] != '-' {
			lines = append(lines, strings.TrimPrefix(change, "+"))
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// W11, X151: a request that is cut anywhere is the same request, and the frames behind it are not lost.
func TestHandshakeCutAnywhere(t *testing.T) {
	whole := ask("/ws") + text("first") + text("second")
	for _, way := range ways {
		at(t, echoes(way, ws.Options{}), nil, func(d *table) {
			for cut := 1; cut < len(whole); cut++ {
				c := d.Dial()
				c.Send(whole[:cut])
				got := c.Received()
				c.Send(whole[cut:])
				head, frames, _ := strings.Cut(got+c.Received(), "\r\n\r\n")
				if want := echo(opText, "first") + echo(opText, "second"); head+"\r\n\r\n" != switched() || said(frames) != want {
					t.Errorf("%s, cut at %d: got %q and %s, want %s", way, cut, head, said(frames), want)
				}
				c.Close()
			}
		})
	}
}

// W11: requests before the handshake, in the same segment, have their responses first.
func TestHandshakeBehindRequests(t *testing.T) {
	for _, way := range ways {
		at(t, echoes(way, ws.Options{}), nil, func(d *table) {
			c := d.Dial()
			c.Send("GET /none HTTP/1.1\r\nHost: test\r\n\r\n" + ask("/ws") + text("first"))
			got := c.Received()
			first, _, _ := strings.Cut(got, "\r\n")
			_, frames, ok := strings.Cut(got, switched())
			if first != "HTTP/1.1 404 Not Found" || !ok || said(frames) != echo(opText, "first") {
				t.Errorf("%s: got %q", way, got)
			}
			c.Close()
		})
	}
}

// W12: with "*" pages of all origins may connect, and options that make no sense are errors at the start.
func TestOptions(t *testing.T) {
	at(t, echoes("inline", ws.Options{Origins: []string{"*"}}), nil, func(d *table) {
		d.opened("Origin: https://evil.example").Close()
		d.opened("Origin: null").Close()
	})
	for name, o := range map[string]ws.Options{
		"a path":                     {Origins: []string{"https://a/"}},
		"no scheme":                  {Origins: []string{"a.example"}},
		"a subprotocol with a space": {Subprotocols: []string{"a b"}},
		"an empty subprotocol":       {Subprotocols: []string{""}},
		"a subprotocol twice":        {Subprotocols: []string{"a", "a"}},
		"a queue of no size":         {Queue: -1},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("Handle has taken them")
				}
			}()
			ws.Handle(o, func(*ws.Conn, *weir.Request) ws.Handler { return nil })
		})
	}
}
