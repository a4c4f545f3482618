package demo

import (
	"embed"
	"fmt"
	"net"
	"strings"

	"weir"
)

//go:embed page
var playground embed.FS

// curl returns a command that streams a response from the server at base when
// it is pasted into a shell.
func curl(base string) string {
	return fmt.Sprintf(`curl -N %s%s -H 'content-type: application/json' `+
		`-d '{"model":"%s","stream":true,"messages":[{"role":"user","content":"How does a stream end?"}]}'`, base, chatPath, ModelName)
}

// welcome serves GET / to clients that do not want the playground.
func welcome(w *weir.Response, r *weir.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	base := "http://" + shellSafe(r.Host())
	_, _ = fmt.Fprintf(w, `This is weir demo: a server that streams like a language model's, in the dialects
of OpenAI (chat, completions, responses), Anthropic and Ollama.
Its one model, %[1]s, babbles from weir's own guide. Try it:

  %[2]s

Or point a client to it, with any API key: OpenAI's to %[3]s/v1,
Anthropic's and Ollama's to %[3]s.

  POST %[4]s, /v1/completions, /v1/responses
  POST /v1/messages, /v1/messages/count_tokens
  POST /api/chat, /api/generate
  GET  /v1/models, /api/tags, /api/version

"stream": true or not, "seed" makes the text the same each time. A browser shows
a playground at this address.
`, ModelName, curl(base), base, chatPath)
}

// shellSafe returns a host unchanged if it is safe in a command that people
// paste into a shell, or else the demo's own default.
func shellSafe(host string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]"
	if host == "" || host[0] == '-' || strings.Trim(host, safe) != "" {
		return defaultListen
	}
	return host
}

// reachable returns an address to connect to for one that is listened on: a
// wildcard is not a destination.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	switch {
	case !ok:
		return "" // a unix socket
	case tcp.IP == nil, tcp.IP.Equal(net.IPv4zero):
		return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: tcp.Port}).String()
	case !tcp.IP.IsUnspecified():
		return tcp.String()
	}
	return (&net.TCPAddr{IP: net.IPv6loopback, Port: tcp.Port}).String()
}
