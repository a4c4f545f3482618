package nethttp

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"strings"
	"sync"

	"weir"
	"weir/http1"
)

// blank is what WithContext copies: there is no other way to make a request
// with a given context.
var blank http.Request

// newRequest makes net/http's request of weir's, and sets w's body. It returns
// an error if net/http would refuse the target.
func newRequest(r *weir.Request, w *response) (*http.Request, error) {
	uri := r.Target()
	target, err := url.ParseRequestURI(uri)
	if err != nil {
		return nil, err
	}
	w.ctx = requestContext{r.Context(), r.ListenAddr()}
	req := blank.WithContext(&w.ctx)
	req.Method, req.RequestURI, req.URL = r.Method(), uri, target
	req.Proto, req.ProtoMajor, req.ProtoMinor = r.Proto(), 1, 1
	closes := r.Header().HasToken("Connection", "close")
	if req.Proto == "HTTP/1.0" {
		req.ProtoMinor = 0
		closes = closes || !r.Header().HasToken("Connection", "keep-alive")
	}
	req.Host = r.Host()
	req.RemoteAddr = remoteAddr(r.RemoteAddr())
	req.TLS = r.TLS()
	req.Header = requestHeader(r.Header())
	req.Close = closes
	w.closes = req.Close
	req.Body = http.NoBody
	if req.ContentLength = r.ContentLength(); req.ContentLength != 0 {
		w.body = newBody(r)
		req.Body = w.body
	}
	if req.ContentLength < 0 {
		req.TransferEncoding = []string{"chunked"}
		req.Trailer = declaredTrailer(req.Header)
		w.body.atEnd = func() { takeTrailer(req, r.Trailer()) }
	}
	req.Pattern = r.Pattern()
	for _, name := range wildcards(req.Pattern) {
		req.SetPathValue(name, r.PathValue(name))
	}
	return req, nil
}

// declaredTrailer returns the trailer fields that the request announces, without
// values, and nil if there are none. They are not among its fields any more.
func declaredTrailer(h http.Header) http.Header {
	var trailer http.Header
	for _, line := range h["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(textproto.TrimString(name))
			if name == "" || http1.ClassOf(name)&http1.NoTrailer != 0 {
				continue
			}
			if trailer == nil {
				trailer = make(http.Header)
			}
			trailer[name] = nil
		}
	}
	delete(h, "Trailer")
	return trailer
}

// takeTrailer adds the fields behind the body, announced or not, as net/http
// does.
func takeTrailer(req *http.Request, fields *weir.Header) {
	for name, value := range fields.All() {
		if req.Trailer == nil {
			req.Trailer = make(http.Header)
		}
		req.Trailer.Add(name, value)
	}
}

// remoteAddr returns the client's address as net/http writes it, also that of a
// unix socket.
func remoteAddr(client netip.AddrPort) string {
	if !client.IsValid() {
		return "@"
	}
	return client.String()
}

// requestHeader copies the fields, except those that net/http has in fields of
// the Request. All values are parts of one string.
func requestHeader(h *weir.Header) http.Header {
	size := 0
	for _, value := range h.Views() {
		size += len(value)
	}
	var text strings.Builder
	text.Grow(size)
	for _, value := range h.Views() {
		text.Write(value)
	}
	rest := text.String()
	header := make(http.Header, h.Len())
	values := make([]string, h.Len()) // of fields that come once
	for field, view := range h.Views() {
		value := rest[:len(view)]
		rest = rest[len(view):]
		name := fieldName(field)
		if name == "Host" || name == "Transfer-Encoding" {
			continue
		}
		if before := header[name]; before != nil {
			header[name] = append(before, value)
			continue
		}
		values[0] = value
		header[name] = values[:1:1]
		values = values[1:]
	}
	if pragma := header["Pragma"]; len(pragma) > 0 && pragma[0] == "no-cache" && header["Cache-Control"] == nil {
		header["Cache-Control"] = []string{"no-cache"} // RFC 9111 5.4, as net/http has it
	}
	return header
}

// fieldName returns a field's name as net/http writes it, without a copy for
// the usual ones.
func fieldName(name []byte) string {
	if usual, ok := usualNames[string(name)]; ok {
		return usual
	}
	return textproto.CanonicalMIMEHeaderKey(string(name))
}

// usualNames has the names that clients send, as they are and in lower case.
var usualNames = func() map[string]string {
	names := make(map[string]string)
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection", "Content-Encoding",
		"Content-Length", "Content-Type", "Cookie", "Expect", "Host", "If-Modified-Since", "If-None-Match", "Last-Event-Id",
		"Origin", "Pragma", "Range", "Referer", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Te", "Traceparent",
		"Transfer-Encoding", "Upgrade-Insecure-Requests", "User-Agent", "Via", "X-Forwarded-For", "X-Forwarded-Host",
		"X-Forwarded-Proto", "X-Request-Id",
	} {
		names[name], names[strings.ToLower(name)] = name, name
	}
	return names
}()

// wildcardsOf maps patterns to the names of their wildcards, []string. It has
// as many entries as there are routes.
var wildcardsOf sync.Map

// wildcards returns the names of a pattern's wildcards: of "GET
// /a/{id}/{rest...}" id and rest.
func wildcards(pattern string) []string {
	if strings.IndexByte(pattern, '{') < 0 {
		return nil
	}
	if names, ok := wildcardsOf.Load(pattern); ok {
		return names.([]string)
	}
	var names []string
	for rest := pattern; ; {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			break
		}
		var name string
		name, rest, _ = strings.Cut(after, "}")
		if name = strings.TrimSuffix(name, "..."); name != "$" {
			names = append(names, name)
		}
	}
	wildcardsOf.Store(pattern, names)
	return names
}

// requestContext is the context of a request: weir's, with the address of the
// listener.
type requestContext struct {
	context.Context
	local net.Addr
}

func (c *requestContext) Value(key any) any {
	if key == http.LocalAddrContextKey && c.local != nil {
		return c.local
	}
	return c.Context.Value(key)
}
