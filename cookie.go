package weir

import (
	"fmt"
	"net/http"
)

// Cookies returns the cookies of the request, as net/http reads them: pairs that
// are malformed are left out.
func (r *Request) Cookies() []*http.Cookie { return r.cookies().Cookies() }

// Cookie returns the first cookie of that name, or http.ErrNoCookie.
func (r *Request) Cookie(name string) (*http.Cookie, error) { return r.cookies().Cookie(name) }

// cookies is a request of net/http's with the Cookie fields.
func (r *Request) cookies() *http.Request {
	return &http.Request{Header: http.Header{"Cookie": r.header.Values("Cookie")}}
}

// SetCookie adds a Set-Cookie field. A cookie that is not valid (see
// http.Cookie.Valid) fails the response with [ErrField], as with [Header.Set]:
// check one from outside before.
func (w *Response) SetCookie(c *http.Cookie) {
	err := c.Valid()
	if err == nil {
		err = w.header.TryAdd("Set-Cookie", c.String())
	} else {
		err = fmt.Errorf("%w: %w", ErrField, err)
	}
	if err != nil {
		w.header.refuse("SetCookie", err)
	}
}
