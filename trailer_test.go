package weir_test

import (
	"io"
	"strings"
	"testing"

	"weir"
)

// RFC 9112 7.1.2: the fields behind a chunked body are there when it has arrived, however it was taken, and not for
// the next request; what must not be a trailer is left out.
func TestRequestTrailer(t *testing.T) {
	say := func(w *weir.Response, r *weir.Request) {
		_, _ = w.WriteString(strings.Join(fields(r.Trailer()), " ") + "; " + strings.Join(fields(r.Clone().Trailer()), " "))
	}
	m := new(weir.Mux)
	m.HandleFunc("PUT /goroutine", say)
	m.HandleFunc("PUT /inline", say).Inline()
	m.HandleFunc("PUT /reader", func(w *weir.Response, r *weir.Request) {
		if r.Trailer().Len() != 0 {
			t.Errorf("got %q before the body has arrived", fields(r.Trailer()))
		}
		_, _ = io.Copy(io.Discard, r.BodyReader())
		say(w, r)
	}).StreamBody()
	m.HandleLoop("PUT /loop", looped(func(x *weir.LoopExchange) *receiver {
		x.Release()
		return &receiver{end: func(error) {
			x.Push([]byte(strings.Join(fields(x.Request().Trailer()), " ") + "; "))
			x.End()
		}}
	}))
	const trailer = "X-Sum: 42\r\nContent-Length: 7\r\nx-sum:  43 \r\n"
	atDesk(t, m, nil, func(d *desk) {
		for _, path := range []string{"/goroutine", "/inline", "/reader", "/loop"} {
			c := d.dial("")
			for _, tt := range []struct{ trailer, want string }{{trailer, "X-Sum=42 x-sum=43; "}, {"", "; "}, {trailer, "X-Sum=42 x-sum=43; "}} {
				d.write(c, "PUT "+path+" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
				d.seen(c)
				d.write(c, "0\r\n"+tt.trailer+"\r\n")
				if got := d.seen(c); !strings.Contains(got, "\r\n"+tt.want) {
					t.Errorf("%s: got %q, want %q", path, got, tt.want)
				}
			}
			d.write(c, "PUT "+path+" HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
			if got := d.seen(c); !strings.Contains(got, "\r\n; ") {
				t.Errorf("%s: got %q without a body, want none", path, got)
			}
			c.Close()
		}
	})
}
