package http1_test

import (
	"fmt"
	"time"

	"weir/http1"
)

// A head that comes in two pieces.
func ExampleRequest() {
	var h http1.Request
	buf := []byte("POST /v1/chat/completions?debug HTTP/1.1\r\nHost: localhost:80")
	n, err := h.Parse(buf, nil)
	fmt.Println(n, err)

	buf = append(buf, "80\r\nContent-Length: 2\r\n\r\n{}"...)
	n, err = h.Parse(buf, nil)
	fmt.Println(n, err)
	fmt.Printf("%s %s %s %s\n", h.Method(), h.Path(), h.RawQuery(), h.Host())
	fmt.Printf("%d bytes of body: %s\n", h.ContentLength(), buf[n:])
	// Output:
	// 0 <nil>
	// 85 <nil>
	// POST /v1/chat/completions debug localhost:8080
	// 2 bytes of body: {}
}

// An error says what to answer.
func ExampleParseError() {
	var h http1.Request
	_, err := h.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), nil)
	fmt.Println(err)
	fmt.Printf("%q\n", http1.AppendStatusLine(nil, err.(*http1.ParseError).Status))
	// Output:
	// http1: both Content-Length and Transfer-Encoding at byte 63
	// "HTTP/1.1 400 Bad Request\r\n"
}

func ExampleCheckField() {
	fmt.Println(http1.CheckField("X-Id", "42"))
	fmt.Println(http1.CheckField("X-Id", "42\r\nSet-Cookie: a=b"))
	// Output:
	// <nil>
	// http1: field value has a control character
}

func ExampleAppendDate() {
	fmt.Printf("%s\n", http1.AppendDate(nil, time.Unix(784111777, 0)))
	// Output: Sun, 06 Nov 1994 08:49:37 GMT
}
