package ws

import (
	"bufio"
	"net/http"
	"slices"
	"strings"
	"testing"

	"weir/http1"
)

// What opens a WebSocket is, by net/http's reading, the response that RFC 6455
// 4.1 wants, and nothing in it was not offered.
func FuzzResponse(f *testing.F) {
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	good := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptKey(key) + "\r\n"
	for _, fields := range []string{
		"", "Sec-WebSocket-Protocol: chat\r\n", "Sec-WebSocket-Protocol: chat, v2\r\n", "Sec-WebSocket-Extensions: permessage-deflate\r\n",
		"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; server_max_window_bits=\"9\"\r\n",
		"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover, x\r\n", "Upgrade: h2c\r\n", "Connection: close\r\n",
	} {
		f.Add(good + fields + "\r\n")
	}
	f.Add("HTTP/1.0 101 x\r\nupgrade:WEBSOCKET\r\nconnection:a,UPGRADE\r\n\r\n")
	set, err := Options{Subprotocols: []string{"chat", "v2"}, Deflate: true}.settle()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var h http1.Response
		if n, err := h.Parse([]byte(text), nil); n == 0 || err != nil || h.Status() != 101 {
			return
		}
		subprotocol, deflate, err := set.checkResponse(&h, key)
		if err != nil {
			return
		}
		res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
		if err != nil {
			return // net/http refuses it for a reason of its own
		}
		defer res.Body.Close()
		chosen, extensions := res.Header.Values("Sec-WebSocket-Protocol"), strings.Join(res.Header.Values("Sec-WebSocket-Extensions"), ",")
		switch {
		case res.StatusCode != 101, !strings.EqualFold(res.Header.Get("Upgrade"), "websocket"), res.Header.Get("Sec-WebSocket-Accept") != acceptKey(key):
			t.Errorf("got %v, which does not open a WebSocket", res.Header)
		case subprotocol != "" && !slices.Equal(chosen, []string{subprotocol}), subprotocol == "" && len(chosen) > 0:
			t.Errorf("got the subprotocol %q from %q", subprotocol, chosen)
		case deflate.on != (strings.Count(extensions, deflateName) == 1), deflate.on && strings.Count(extensions, serverNoContext) != 1,
			strings.Contains(extensions, clientWindow):
			t.Errorf("got %v from %q", deflate, extensions)
		}
	})
}
