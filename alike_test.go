package weir_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"weir"
)

// answer is what both servers' responses can do.
type answer interface {
	set(name, value string)
	status(code int)
	io.Writer
	flush()
}

// asked is what both servers' requests say.
type asked struct{ method, path, query, host, accept, id, body string }

// alike is one handler for both.
func alike(w answer, r asked) {
	code, _ := strconv.Atoi(r.id)
	w.set("Content-Type", "text/plain")
	w.set("X-Seen", strings.Join([]string{r.method, r.path, r.query, r.host, r.accept}, "|"))
	if code != 0 {
		w.status(code)
	}
	_, _ = io.WriteString(w, r.body) // of an answer without a body this is an error
	if r.query == "flush" {
		w.flush()
		_, _ = io.WriteString(w, "more")
	}
}

type weirAnswer struct{ w *weir.Response }

func (a weirAnswer) set(name, value string)      { a.w.Header().Set(name, value) }
func (a weirAnswer) status(code int)             { a.w.SetStatus(code) }
func (a weirAnswer) Write(p []byte) (int, error) { return a.w.Write(p) }

// flush goes on as a stream, with what was buffered as its first chunk.
func (a weirAnswer) flush() { a.w.Stream() }

type httpAnswer struct{ http.ResponseWriter }

func (a httpAnswer) set(name, value string) { a.Header().Set(name, value) }
func (a httpAnswer) status(code int)        { a.WriteHeader(code) }
func (a httpAnswer) flush()                 { a.ResponseWriter.(http.Flusher).Flush() }

func weirSide(w *weir.Response, r *weir.Request) {
	alike(weirAnswer{w}, asked{r.Method(), r.Path(), r.RawQuery(), r.Host(),
		r.Header().Get("Accept"), r.PathValue("id"), string(r.Body())})
}

func httpSide(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a body that is not whole is not in the table
	alike(httpAnswer{w}, asked{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Host, r.Header.Get("Accept"), r.PathValue("id"), string(body)})
}

// The same handler on weir and on net/http gives the same answers. Known to
// differ, and left out: to HEAD weir names the coding that GET has, in a 304 it
// leaves Content-Type to the handler, and it sends no 100 when the body is there.
func TestAsNetHTTP(t *testing.T) {
	m, std := new(weir.Mux), http.NewServeMux()
	for _, pattern := range []string{"/echo", "GET /s/{id}", "POST /s/{id}", "GET /tree/", "GET b.example/echo"} {
		m.HandleFunc(pattern, weirSide)
		std.HandleFunc(pattern, httpSide)
	}
	srv := &weir.Server{Handler: m, Loops: 1}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer shutdown(t, srv)
	other := httptest.NewServer(std)
	defer other.Close()
	for _, request := range []string{
		"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
		"HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /echo?x=%20&y HTTP/1.1\r\nHost: a:80\r\nAccept:  text/html \r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		"PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
		"GET /echo?flush HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /echo?flush HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		"POST /echo?flush HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
		"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"GET /echo HTTP/1.0\r\n\r\n",
		"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"GET /echo?flush HTTP/1.0\r\n\r\n",
		"GET http://b.example/echo HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /s/201 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /s/204 HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /s/404 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
		"GET /s/500 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /tree HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /tree/a/../b HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /tree/a%20b HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
		"DELETE /s/1 HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		got, want := ask(t, srv.Addrs()[0].String(), request), ask(t, other.Listener.Addr().String(), request)
		if got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", request, got, want)
		}
	}
}

// ask sends a request and renders what the answer says; the text of errors and
// redirects is each server's own.
func ask(t *testing.T, addr, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	h := res.Header
	parts := []string{res.Status, h.Get("Location"), h.Get("Allow"), h.Get("X-Seen"), strings.Join(res.TransferEncoding, ","), strconv.FormatBool(res.Close)}
	if h.Get("X-Seen") != "" {
		parts = append(parts, h.Get("Content-Type"), string(body))
	}
	return strings.Join(parts, " / ")
}
