package http1

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// Here net/http is the oracle. What this package accepts, net/http must accept and read alike,
// but for the differences in looser; what net/http accepts and this package refuses must be
// refused for one of the reasons in stricter.

// stricter explains the reasons for which this package refuses what net/http accepts.
var stricter = map[string]string{
	reasonBareLF:     "net/textproto takes LF alone as the end of a line",
	reasonFold:       "net/textproto joins folded lines",
	reasonName:       "net/textproto takes a space in a field name, as it always has",
	reasonMethod:     "net/http takes lower-case letters in a method (H2)",
	reasonNonASCII:   "net/url takes bytes beyond ASCII in a target",
	reasonFragment:   "net/url takes # in a request target as part of the path",
	reasonBackslash:  "net/url takes a backslash",
	reasonForm:       "net/http does not tie forms to methods (H15), takes other schemes, and / for CONNECT",
	reasonAuthority:  "net/url takes userinfo, host names of other characters, and any port",
	reasonMajor:      "net/http.ReadRequest leaves the version to the server",
	reasonNoHost:     "net/http checks this in the server, not in ReadRequest",
	reasonHost:       "net/http checks this in the server, and less strictly",
	reasonLength:     "net/http takes leading zeros, and a bad length beside chunked",
	reasonTwoLengths: "net/http takes equal lengths as one",
	reasonBoth:       "net/http lets chunked win over Content-Length",
	reasonCoding:     "net/textproto joins a folded line to an empty value",
	reasonOldCoding:  "net/http ignores Transfer-Encoding in HTTP/1.0",
	reasonStatus:     "net/http takes 000 to 099, +20, and several spaces before the status",
	reasonControl:    "net/http takes control characters in a reason phrase",
	reasonBareCR:     "net/http takes a CR in a reason phrase",
	reasonExpect:     "net/http checks this in the server, not in ReadRequest",
}

// looser reports why net/http may refuse a head that this package accepts, or "".
func looser(h interface{ Get(string) []byte }, err error) string {
	switch {
	case h.Get("Trailer") != nil && strings.Contains(err.Error(), "bad trailer key"):
		return "Trailer is the body reader's matter"
	}
	return ""
}

// agree compares a request head with net/http's reading of it. It returns a description of
// the disagreement, or "".
func agree(input string) string {
	var h Request
	n, err := h.Parse([]byte(input), nil)
	for range maxEmptyLines { // net/http knows no empty lines before a request (H1)
		input = strings.TrimPrefix(input, "\r\n")
	}
	req, oracleErr := http.ReadRequest(bufio.NewReader(strings.NewReader(input)))
	switch {
	case err != nil:
		return unexplained(err, oracleErr)
	case n == 0:
		return "" // a prefix: net/http's verdict on a stream that ends there is of no interest
	case oracleErr != nil:
		if looser(&h, oracleErr) != "" {
			return ""
		}
		return "net/http refuses: " + oracleErr.Error()
	}
	return diffRequest(&h, req)
}

// unexplained returns a complaint if only this package refuses, for a reason not in stricter.
func unexplained(err, oracleErr error) string {
	if reason := err.(*ParseError).Reason; oracleErr == nil && stricter[reason] == "" {
		return "net/http accepts what is refused for: " + reason
	}
	return ""
}

func diffRequest(h *Request, req *http.Request) string {
	length, codings := int64(0), []string(nil)
	switch {
	case h.Chunked():
		length, codings = -1, []string{"chunked"}
	case h.ContentLength() > 0:
		length = h.ContentLength()
	}
	path, err := url.PathUnescape(string(h.Path()))
	if err != nil {
		return "path: " + err.Error()
	}
	if strings.HasPrefix(string(h.Target()), "http") && req.URL.Path == "" {
		req.URL.Path = "/" // the empty path of an absolute form
	}
	for _, d := range []struct {
		what      string
		got, want any
	}{
		{"method", string(h.Method()), req.Method},
		{"target", string(h.Target()), req.RequestURI},
		{"path", path, req.URL.Path},
		{"query", string(h.RawQuery()), req.URL.RawQuery},
		{"host", string(h.Host()), req.Host},
		{"minor", h.Minor(), min(req.ProtoMinor, 1)},
		{"length", length, req.ContentLength},
		{"codings", codings, req.TransferEncoding},
		{"close", !h.KeepAlive(), req.Close},
		{"fields", fieldMap(h, "Host", "Transfer-Encoding", "Trailer"), without(req.Header, "Trailer")},
	} {
		if !reflect.DeepEqual(d.got, d.want) {
			return fmt.Sprintf("%s: got %q, net/http says %q", d.what, d.got, d.want)
		}
	}
	return ""
}

// fieldMap returns the fields as net/http shows them, without those named.
func fieldMap(h parser, names ...string) http.Header {
	m := http.Header{}
	for i := range h.Len() {
		name, value := h.Field(i)
		key := textproto.CanonicalMIMEHeaderKey(string(name))
		m[key] = append(m[key], string(value))
	}
	if p := m["Pragma"]; len(p) > 0 && p[0] == "no-cache" && m["Cache-Control"] == nil {
		m["Cache-Control"] = []string{"no-cache"} // net/http adds it
	}
	return without(m, names...)
}

func without(m http.Header, names ...string) http.Header {
	for _, name := range names {
		delete(m, name)
	}
	return m
}

// agreeResponse is agree for a response to that method.
func agreeResponse(input, method string) string {
	var h Response
	n, err := h.Parse([]byte(input), nil)
	res, oracleErr := http.ReadResponse(bufio.NewReader(strings.NewReader(input)), &http.Request{Method: method})
	if oracleErr == nil {
		defer res.Body.Close()
	}
	switch {
	case err != nil:
		return unexplained(err, oracleErr)
	case n == 0:
		return ""
	case oracleErr != nil:
		if looser(&h, oracleErr) != "" || oracleErr == io.ErrUnexpectedEOF {
			return ""
		}
		return "net/http refuses: " + oracleErr.Error()
	}
	return diffResponse(&h, res, method)
}

func diffResponse(h *Response, res *http.Response, method string) string {
	kind, length := h.Body(method)
	want, wantLength := oracleBody(h, res, method)
	for _, d := range []struct {
		what      string
		got, want any
	}{
		{"status", h.Status(), res.StatusCode},
		{"minor", h.Minor(), min(res.ProtoMinor, 1)},
		{"body", kind, want},
		{"length", length, wantLength},
		{"fields", fieldMap(h, "Transfer-Encoding", "Trailer"), without(res.Header, "Trailer")},
	} {
		if !reflect.DeepEqual(d.got, d.want) {
			return fmt.Sprintf("%s: got %v, net/http says %v", d.what, d.got, d.want)
		}
	}
	return ""
}

// oracleBody is the body's kind as net/http sees it. It has no word for "none", and none
// for a tunnel, so that those are taken from the RFC.
func oracleBody(h *Response, res *http.Response, method string) (BodyKind, int64) {
	switch {
	case method == "HEAD", res.StatusCode < 200, res.StatusCode == 204, res.StatusCode == 304,
		method == "CONNECT" && res.StatusCode/100 == 2:
		return BodyNone, 0
	case len(res.TransferEncoding) > 0:
		return BodyChunked, 0
	case res.ContentLength >= 0 && h.Get("Content-Length") != nil:
		return BodyLength, res.ContentLength
	}
	return BodyUntilClose, 0
}

// Every rule's case is also put to the oracle.
func TestRulesAgreeWithNetHTTP(t *testing.T) {
	for _, tt := range ruleCases {
		if d := agree(tt.head); d != "" {
			t.Errorf("%s: %.100q: %s", tt.name, tt.head, d)
		}
	}
}

// The list of differences has no entry that hides one which is not there.
func TestStricterIsNeeded(t *testing.T) {
	seen := map[string]bool{}
	for _, tt := range ruleCases {
		if _, err := http.ReadRequest(bufio.NewReader(strings.NewReader(tt.head))); err == nil {
			seen[tt.reason] = true
		}
	}
	for reason, response := range map[string]string{
		reasonStatus:  "HTTP/1.1 099 OK\r\n\r\n",
		reasonControl: "HTTP/1.1 200 \x01\r\n\r\n",
		reasonBareCR:  "HTTP/1.1 200 O\rK\r\n\r\n",
	} {
		if _, err := http.ReadResponse(bufio.NewReader(strings.NewReader(response)), nil); err == nil {
			seen[reason] = true
		}
	}
	for reason := range stricter {
		if !seen[reason] {
			t.Errorf("%q: net/http refuses it too, in all cases", reason)
		}
	}
}
