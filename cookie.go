package weir

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
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
// http.Cookie.Valid), or that browsers do not keep, whatever it says, fails the
// response with [ErrField], as with [Header.Set]: check one from outside before.
func (w *Response) SetCookie(c *http.Cookie) {
	err := checkCookie(c)
	if err == nil {
		err = w.header.TryAdd("Set-Cookie", c.String())
	} else {
		err = fmt.Errorf("%w: %w", ErrField, err)
	}
	if err != nil {
		w.header.refuse("SetCookie", err)
	}
}

// checkCookie returns why browsers do not keep a cookie of a response over TLS
// (RFC 6265bis 5.7); nil if they do.
func checkCookie(c *http.Cookie) error {
	if err := c.Valid(); err != nil {
		return err
	}
	name := strings.ToLower(c.Name)
	forHost := strings.HasPrefix(name, "__host-")
	switch {
	case !c.Secure && (forHost || strings.HasPrefix(name, "__secure-") || c.SameSite == http.SameSiteNoneMode):
		return errors.New("cookie with the prefix __Host- or __Secure-, or with SameSite=None, that is not Secure")
	case forHost && (c.Path != "/" || c.Domain != ""):
		return errors.New("cookie with the prefix __Host-: want Path / and no Domain")
	}
	return nil
}
