package weir

import (
	"context"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"weir/sse"
)

func TestSmoke(t *testing.T) {
	m := new(Mux)
	m.HandleInline("GET /plaintext", HandlerFunc(func(w *Response, r *Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteString("Hello, World!")
	}))
	m.HandleFunc("POST /echo", func(w *Response, r *Request) { w.Write(r.Body()) })
	m.HandleInline("GET /numbers", HandlerFunc(func(w *Response, r *Request) {
		w.StreamFrom(NextChunk(0, func(n *int, dst []byte, c bool) ([]byte, bool) {
			*n++
			return strconv.AppendInt(dst, int64(*n), 10), *n == 10
		}))
	}))
	m.Handle("GET /sse", Events(func(r *Request) iter.Seq2[*sse.Event, error] {
		return func(yield func(*sse.Event, error) bool) {
			for i := range 3 {
				if !yield(sse.Data(strconv.Itoa(i)), nil) {
					return
				}
			}
		}
	}))
	m.HandleFunc("GET /push", func(w *Response, r *Request) {
		s := w.Stream()
		for range 1000 {
			if s.Send([]byte("hello")) != nil {
				return
			}
		}
	})
	m.HandleFunc("GET /fail", func(w *Response, r *Request) { w.Stream().Send([]byte("x")); panic("no") })
	m.HandleBody("PUT /upload", HandlerFunc(func(w *Response, r *Request) {
		n, err := io.Copy(io.Discard, r.BodyReader())
		if err != nil {
			w.Error(400, err.Error())
			return
		}
		w.WriteString(strconv.FormatInt(n, 10))
	}))
	s := &Server{Handler: m}
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	base := "http://" + s.Addrs()[0].String()
	get := func(method, path, body string) string {
		t.Helper()
		var rd io.Reader
		if body != "" {
			rd = strings.NewReader(body)
		}
		req, _ := http.NewRequest(method, base+path, rd)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err.Error()
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if len(b) > 100 {
			b = []byte(strconv.Itoa(len(b)))
		}
		return res.Status + " " + string(b) + " " + strings.Join(res.TransferEncoding, ",") + " " + errText(err)
	}
	for range 2 {
		t.Log(get("GET", "/plaintext", ""))
		t.Log(get("POST", "/echo", "abc"))
		t.Log(get("POST", "/echo", strings.Repeat("x", 1<<20)))
		t.Log(get("GET", "/numbers", ""))
		t.Log(get("HEAD", "/numbers", ""))
		t.Log(get("GET", "/sse", ""))
		t.Log(get("GET", "/push", ""))
		t.Log(get("GET", "/fail", ""))
		t.Log(get("PUT", "/upload", strings.Repeat("x", 1<<20)))
		t.Log(get("GET", "/nothing", ""))
		t.Log(get("POST", "/plaintext", "x"))
	}
	t.Logf("%+v", s.Stats())
	http.DefaultClient.CloseIdleConnections()
	t.Log(s.Shutdown(context.Background()))
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
