package serve

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"weir/internal/patience"
)

// M9: HAProxy in front of weir serve names its clients by the PROXY protocol, in
// each form that it has, and the access log has them.
func TestHAProxyNamesClients(t *testing.T) {
	program := installed(t, "haproxy")
	there := fileIn(t, t.TempDir(), "there.yaml", "listen: ['127.0.0.1:0?proxy=loopback']\n")
	g := serve(t, "models: {babble: {native: demo/babble}}\n", "--overlay", there)
	weir := strings.TrimPrefix(g.url, "http://")
	dir := t.TempDir()
	forms := []string{"send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id", "send-proxy check"}
	var fronts []string
	text := "global\n maxconn 100\ndefaults\n mode tcp\n timeout connect 9s\n timeout client 99s\n timeout server 99s\n unique-id-format %[uuid()]\n"
	for i, form := range forms {
		addr := fmt.Sprintf("127.%d.%d.%d:8081", 1+os.Getpid()%250, 1+os.Getpid()/250%250, 100+i) // as startPair's
		fronts = append(fronts, addr)
		text += fmt.Sprintf("listen l%d\n bind %s\n server weir %s %s\n", i, addr, weir, form)
	}
	start(t, nil, program, "-db", "-f", fileIn(t, dir, "haproxy.cfg", text))
	for i, addr := range fronts {
		var c net.Conn
		eventually(t, "haproxy listens", func() (ok bool) {
			var err error
			c, err = net.Dial("tcp", addr)
			return err == nil
		})
		deadline := time.Now().Add(patience.Limit)
		_ = c.SetDeadline(deadline)
		fmt.Fprintf(c, "GET /v1/models?%d HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: by-%d\r\nConnection: close\r\n\r\n", i, i)
		if body, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(body), "HTTP/1.1 200 ") {
			t.Fatalf("%s: got %q, %v", forms[i], body, err)
		}
		line := g.out.wait(t, 1, fmt.Sprintf(`"id":"by-%d"`, i))[0]
		if want := `"client":"` + c.LocalAddr().String() + `"`; !strings.Contains(line, want) {
			t.Errorf("%s: got %s, want %s", forms[i], line, want)
		}
		c.Close()
	}
	// Without a header nobody is served.
	c, err := net.Dial("tcp", weir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience.Limit))
	fmt.Fprint(c, "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if body, err := io.ReadAll(c); len(body) > 0 {
		t.Errorf("without a header: got %q, %v", body, err)
	}
	g.end()
}

// M6: HAProxy as a proxy of HTTP names its clients by X-Forwarded-For, and the
// access log has those, not what a client puts there.
func TestHAProxyForwardsClients(t *testing.T) {
	program := installed(t, "haproxy")
	there := fileIn(t, t.TempDir(), "there.yaml", "log: {access: stdout, format: json, proxies: [loopback]}\n")
	g := serve(t, "models: {babble: {native: demo/babble}}\n", "--overlay", there)
	addr := fmt.Sprintf("127.%d.%d.99:8081", 1+os.Getpid()%250, 1+os.Getpid()/250%250)
	text := "global\n maxconn 100\ndefaults\n mode http\n timeout connect 9s\n timeout client 99s\n timeout server 99s\n" +
		"listen l\n bind " + addr + " accept-proxy\n option forwardfor\n server weir " + strings.TrimPrefix(g.url, "http://") + "\n"
	start(t, nil, program, "-db", "-f", fileIn(t, t.TempDir(), "haproxy.cfg", text))
	var c net.Conn
	eventually(t, "haproxy listens", func() bool {
		var err error
		c, err = net.Dial("tcp", addr)
		return err == nil
	})
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience.Limit))
	fmt.Fprint(c, "PROXY TCP4 203.0.113.9 203.0.113.1 4711 80\r\nGET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: mine\r\nX-Forwarded-For: 198.51.100.1\r\nConnection: close\r\n\r\n")
	if body, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(body), "HTTP/1.1 200 ") {
		t.Fatalf("got %q, %v", body, err)
	}
	if line := g.out.wait(t, 1, `"id":"mine"`)[0]; !strings.Contains(line, `"client":"203.0.113.9"`) {
		t.Errorf("got %s, want the client of the proxy", line)
	}
	g.end()
}
