package relay

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/cmd/weir/internal/upstream"
)

// G12: a client's key reaches no upstream, in whatever field it is sent; what is no key does.
func TestKeysKeptBack(t *testing.T) { each(t, testKeysKeptBack) }

func testKeysKeptBack(t *testing.T, gateway func(http.Handler) string) {
	var got http.Header
	var query string
	address := gateway(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, query = r.Header, r.URL.RawQuery }))
	keys := []string{
		"Authorization", "X-API-KEY", "Api-Key", "X-Goog-Api-Key", "Ocp-Apim-Subscription-Key", "X-Litellm-Api-Key",
		"X-Portkey-Api-Key", "Cookie", "Proxy-Authorization", "Helicone-Auth", "x-amz-security-token",
	}
	others := []string{"Anthropic-Version", "Anthropic-Beta", "OpenAI-Organization", "OpenAI-Project", "X-Stainless-Lang", "X-Key", "Traceparent", "X-Request-Id"}
	r, err := http.NewRequest("POST", address+"?key=secret&api-version=1", strings.NewReader(`{"model":"m"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(slices.Clone(keys), others...) {
		r.Header[name] = []string{"secret of " + name, "twice"}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	for _, name := range keys {
		if values := got.Values(name); len(values) > 0 {
			t.Errorf("%s: got %q, want none", name, values)
		}
	}
	for _, name := range others {
		if values := got.Values(name); len(values) != 2 {
			t.Errorf("%s: got %q, want both", name, values)
		}
	}
	if query != "api-version=1" || got.Get("Via") != "1.1 weir" || len(got.Values("Via")) != 1 {
		t.Errorf("got the query %q, Via %q", query, got.Values("Via"))
	}
}

func TestWithoutKeys(t *testing.T) {
	c := NewCarriers(nil, []string{"my key"})
	for query, want := range map[string]string{
		"":                                "",
		"a=b&c=d":                         "a=b&c=d",
		"key=x":                           "",
		"key":                             "",
		"KEY=x&a=b":                       "a=b",
		"a=b&key=x":                       "a=b",
		"a=b&key=x&c=d":                   "a=b&c=d",
		"a=b;key=x;c=d&e":                 "a=b;c=d&e",
		"api_key=1&api-key=2&apikey=3&&a": "a",
		"k%65y=x&a=k%65y":                 "a=k%65y",
		"%6b%65%79=x&a":                   "a",
		"k%65=x&ke%7=x&ke%=x&%":           "k%65=x&ke%7=x&ke%=x&%",
		"my+key=x&my%20key=y&mykey=z":     "mykey=z",
		"a=key&keys=b&xkey=c&key[]=d":     "a=key&keys=b&xkey=c&key[]=d",
		"subscription-key=x&beta=true":    "beta=true",
		strings.Repeat("k", 100) + "&a":   strings.Repeat("k", 100) + "&a",
	} {
		if got := string(c.withoutKeys([]byte(query))); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	query := []byte("a=b&c=%20&d")
	if n := testing.AllocsPerRun(100, func() { c.withoutKeys(query) }); n != 0 {
		t.Errorf("got %v allocations where nothing is left out, want none", n)
	}
}

// FuzzWithoutKeys: net/url finds no key in what is left, and everything else as it was.
func FuzzWithoutKeys(f *testing.F) {
	for _, s := range []string{"key=1&a=b", "a;key=2;b", "k%65y&KEY=3", "%&=&key", "a=b&&key=c&"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		before, _ := url.ParseQuery(query) // the good pairs are returned beside the error
		got := string(knownCarriers.withoutKeys([]byte(query)))
		after, _ := url.ParseQuery(got) // likewise
		for name := range after {
			if slices.Contains(keyParams[:], strings.ToLower(name)) {
				t.Errorf("%q: got %q, which has %s", query, got, name)
			}
		}
		for name, values := range before {
			if !slices.Contains(keyParams[:], strings.ToLower(name)) && isASCII(name) && !strings.Contains(query, ";") && !slices.Equal(after[name], values) {
				t.Errorf("%q: got %q, want %s as it was", query, got, name)
			}
		}
	})
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) }

// G12: whom a client says it asks for is not passed on unless the configuration says so, and the gateway is named
// in Via, behind whoever was there before.
func TestForwarded(t *testing.T) {
	const came = "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2, 10.0.0.3\r\nForwarded: for=10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\n" +
		"True-Client-IP: 10.0.0.1\r\nCF-Connecting-IP: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Port: 1\r\n"
	names := strings.Fields("X-Forwarded-For Forwarded X-Real-Ip True-Client-Ip Cf-Connecting-Ip X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port Via")
	for _, tt := range []struct {
		name string
		mode Forwarding
		sent string
		unix bool
		want map[string]string
	}{
		{name: "drop", sent: came, want: map[string]string{"Via": "1.1 weir"}},
		{name: "nothing came", want: map[string]string{"Via": "1.1 weir"}},
		{name: "via", sent: "Via: 1.0 fred\r\nvia:\r\nVIA: 1.1 a (b), 1.1 weir\r\n", want: map[string]string{"Via": "1.0 fred, 1.1 a (b), 1.1 weir, 1.1 weir"}},
		{name: "via of the connection", sent: "Connection: via\r\nVia: 1.0 fred\r\n", want: map[string]string{"Via": "1.1 weir"}},
		{name: "pass", mode: ForwardingPass, sent: came, want: map[string]string{
			"X-Forwarded-For": "10.0.0.1|10.0.0.2, 10.0.0.3", "Forwarded": "for=10.0.0.1", "X-Real-Ip": "10.0.0.1", "True-Client-Ip": "10.0.0.1",
			"Cf-Connecting-Ip": "10.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "X-Forwarded-Port": "1", "Via": "1.1 weir",
		}},
		{name: "add", mode: ForwardingAdd, sent: came + "Via: 1.1 a\r\n", want: map[string]string{
			"X-Forwarded-For": "10.0.0.1, 10.0.0.2, 10.0.0.3, 127.0.0.1", "Forwarded": `for=10.0.0.1, for=127.0.0.1;host="gw.example:80";proto=http`,
			"X-Forwarded-Proto": "http", "X-Forwarded-Host": "gw.example:80", "Via": "1.1 a, 1.1 weir",
		}},
		{name: "add to nothing", mode: ForwardingAdd, want: map[string]string{
			"X-Forwarded-For": "127.0.0.1", "Forwarded": `for=127.0.0.1;host="gw.example:80";proto=http`,
			"X-Forwarded-Proto": "http", "X-Forwarded-Host": "gw.example:80", "Via": "1.1 weir",
		}},
		{name: "add on a unix socket", mode: ForwardingAdd, unix: true, want: map[string]string{
			"Forwarded": `for=unknown;host="gw.example:80";proto=http`, "X-Forwarded-Proto": "http", "X-Forwarded-Host": "gw.example:80", "Via": "1.1 weir",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan http.Header, 2)
			g := gatewayOf(t, "http", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }), upstream.Config{})
			g.Forwarding = tt.mode
			addr := "127.0.0.1:0"
			if tt.unix {
				addr = "unix:" + filepath.Join(t.TempDir(), "s")
			}
			at := serveAt(t, addr, g)
			conn, err := net.Dial(at.Network(), at.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			const body = `{"model":"m"}`
			for range 2 { // the second one by the same flow
				fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: gw.example:80\r\n%sContent-Length: %d\r\n\r\n%s", tt.sent, len(body), body)
				head := <-got
				for _, name := range names {
					if values := strings.Join(head[name], "|"); values != tt.want[name] {
						t.Errorf("%s: got %q, want %q", name, values, tt.want[name])
					}
				}
			}
		})
	}
}

// An address is written as RFC 7239 wants it.
func TestForwardedIPv6(t *testing.T) {
	got := make(chan http.Header, 1)
	g := gatewayOf(t, "http", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }), upstream.Config{})
	g.Forwarding = ForwardingAdd
	lis, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip(err)
	}
	lis.Close()
	res, _, err := post(t, "http://"+serveAt(t, "[::1]:0", g).String()+"/v1/chat/completions", `{"model":"m"}`)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	head := <-got
	if a, b := head.Get("X-Forwarded-For"), head.Get("Forwarded"); a != "::1" || !strings.HasPrefix(b, `for="[::1]";host="[::1]:`) {
		t.Errorf("got %q and %q", a, b)
	}
}

// A gateway that asks itself stops.
func TestLoop(t *testing.T) {
	asked := 0
	url := gateway(t, "http", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	for _, tt := range []struct {
		via    []string
		status int
	}{
		{[]string{strings.Repeat("1.1 weir, ", maxHops-1), "1.1 other, 1.1 weirs, weir"}, 200},
		{[]string{"1.0 fred, 1.1 weir (x)", strings.Repeat("1.1 weir, ", maxHops-1)}, 508},
	} {
		r, err := http.NewRequest("POST", url, strings.NewReader(`{"model":"m"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Via"] = tt.via
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != tt.status {
			t.Errorf("%q: got %d %s, %v, want %d", tt.via, res.StatusCode, body, err, tt.status)
		}
	}
	if asked != 1 {
		t.Errorf("the upstream got %d requests, want one", asked)
	}
}
