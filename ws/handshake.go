package ws

import (
	"crypto/sha1" // RFC 6455 4.2.2 wants it, and no security of it
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"weir"
	"weir/http1"
)

// refusal is the response to a request that does not become a connection.
type refusal struct {
	status int
	text   string
}

// offer is what a request asks for, and gets.
type offer struct {
	accept      string // of Sec-WebSocket-Accept
	subprotocol string
	deflate     terms
	extensions  string // of the response
}

// check checks a request (RFC 6455 4.2.1). What of its offers is not taken is
// declined by saying nothing of it.
func (s *settings) check(r *weir.Request) (o offer, no *refusal) {
	h := r.Header()
	key, oneKey := only(h.Values("Sec-WebSocket-Key"))
	version, oneVersion := only(h.Values("Sec-WebSocket-Version"))
	switch {
	case r.Method() != "GET":
		return o, &refusal{405, "a WebSocket is opened by GET"}
	case r.Proto() != "HTTP/1.1":
		return o, &refusal{400, "a WebSocket is opened by a request of HTTP/1.1"}
	case !h.HasToken("Upgrade", "websocket"), !h.HasToken("Connection", "upgrade"):
		return o, &refusal{426, "want Connection: Upgrade and Upgrade: websocket"}
	case !oneVersion || version != "13":
		return o, &refusal{426, "want Sec-WebSocket-Version: 13"}
	case !oneKey || !validKey(key):
		return o, &refusal{400, "want one Sec-WebSocket-Key, of 16 bytes in base64"}
	case r.ContentLength() != 0:
		return o, &refusal{400, "the request has a body"}
	case !s.admits(h.Values("Origin"), r.Host()):
		return o, &refusal{403, "this origin may not connect"}
	}
	o.accept = acceptKey(key)
	ok := true
	if o.subprotocol, ok = s.choose(h.Values("Sec-WebSocket-Protocol")); !ok {
		return o, &refusal{400, "malformed Sec-WebSocket-Protocol"}
	}
	if s.Deflate {
		offers, err := parseExtensions(h.Values("Sec-WebSocket-Extensions"))
		if err == nil {
			o.deflate, o.extensions = acceptDeflate(offers)
		}
	}
	return o, nil
}

// only returns the value of a field that must be there once.
func only(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// validKey reports whether the key is the base64 of 16 bytes (RFC 6455 4.1).
func validKey(key string) bool {
	var b [18]byte
	n, err := base64.StdEncoding.Strict().Decode(b[:], []byte(key[:min(len(key), 24)]))
	return err == nil && n == 16 && len(key) == 24
}

// guid is RFC 6455 1.3's. In two parts, since one looks like a rule's number.
const guid = "258EAFA5-E" + "914-47DA-95CA-C5AB0DC85B11"

// acceptKey returns the Sec-WebSocket-Accept for a key (RFC 6455 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + guid))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// An origin is where a page is from (RFC 6454 4), in lower case, without the port
// that is its scheme's own, which may be said or not.
type origin struct{ scheme, host string }

var ownPorts = map[string]string{"http": ":80", "https": ":443"}

func parseOrigin(text string) (o origin, ok bool) {
	text = strings.ToLower(text)
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != text {
		return o, false
	}
	return origin{u.Scheme, strings.TrimSuffix(u.Host, ownPorts[u.Scheme])}, true
}

// admits reports whether pages of an origin may connect (RFC 6455 10.2): those
// of the host that the request is for, and those of the options. A request
// without Origin is not a page's.
func (s *settings) admits(origins []string, host string) bool {
	if len(origins) == 0 || s.any {
		return true
	}
	text, _ := only(origins) // "" is none
	o, ok := parseOrigin(text)
	if !ok {
		return false
	}
	port := ownPorts[o.scheme]
	return slices.Contains(s.origins, o) || port != "" && o.host == strings.TrimSuffix(strings.ToLower(host), port)
}

// choose returns the preferred subprotocol that a client offers. It reports false
// if the offers are not tokens, each once (RFC 6455 4.1).
func (s *settings) choose(lines []string) (chosen string, ok bool) {
	var offered []string
	for _, line := range lines {
		for name := range http1.Elements([]byte(line)) {
			n := string(name)
			if !http1.IsToken(n) || slices.Contains(offered, n) || len(offered) == maxOffers {
				return "", false
			}
			offered = append(offered, n)
		}
	}
	for _, name := range s.Subprotocols {
		if slices.Contains(offered, name) {
			return name, true
		}
	}
	return "", true
}

// maxOffers is how many subprotocols a client may offer.
const maxOffers = 64

// respond sets the fields of the response to a request that is accepted.
func (o *offer) respond(w *weir.Response) {
	h := w.Header()
	h.Set("Sec-WebSocket-Accept", o.accept)
	if o.subprotocol != "" {
		h.Set("Sec-WebSocket-Protocol", o.subprotocol)
	}
	if o.extensions != "" {
		h.Set("Sec-WebSocket-Extensions", o.extensions)
	}
}

// send makes the refusal the response.
func (no *refusal) send(w *weir.Response) {
	h := w.Header()
	switch no.status {
	case 405:
		h.Set("Allow", "GET")
	case 426:
		h.Set("Sec-WebSocket-Version", "13")
		w.UpgradeRequired("websocket", no.text)
		return
	}
	w.Error(no.status, no.text)
}
