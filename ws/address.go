package ws

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"weir/client"
)

// address is where a client's WebSocket leads: a server, and what it is asked
// for there.
type address struct {
	endpoint    client.Endpoint
	path, query string
}

// parseAddress parses "ws://host/path?query" or "wss://host" (RFC 6455 3).
func parseAddress(text string) (a address, err error) {
	u, err := url.Parse(text)
	if bad, ok := errors.AsType[*url.Error](err); ok {
		err = bad.Err // without the URL, which may hold a secret
	}
	if err != nil {
		return a, fmt.Errorf("ws: the URL is not valid: %w", err)
	}
	scheme, ok := map[string]string{"ws": "http://", "wss": "https://"}[u.Scheme]
	switch {
	case !ok || u.Opaque != "":
		return a, fmt.Errorf("ws: %q is not a WebSocket's URL: want ws://host/path or wss://host/path", u.Redacted())
	case strings.Contains(text, "#"):
		return a, fmt.Errorf("ws: %q has a fragment, which a WebSocket's URL must not have", u.Redacted())
	case u.User != nil:
		return a, fmt.Errorf("ws: %q has a user; send it in DialOptions.Header as Authorization", u.Redacted())
	}
	if a.endpoint, err = client.ParseEndpoint(scheme + u.Host); err != nil {
		return a, fmt.Errorf("ws: %q: %w", u.Redacted(), err)
	}
	if a.path, a.query = u.EscapedPath(), u.RawQuery; a.path == "" {
		a.path = "/"
	}
	return a, nil
}
