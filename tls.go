package weir

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"weir/reactor"
)

// TLS is how a Server speaks TLS on its addresses that begin with "tls:". Set
// CertFile and KeyFile, or Config with a certificate of its own, or both.
//
// Limits, timeouts, streams, disconnects and statistics are what they are in
// the clear: HTTP/1.1 stays on the event loops. Limits.Handshakes and
// Timeouts.Handshake bound the handshakes.
type TLS struct {
	// CertFile and KeyFile name PEM files: the certificate, with the
	// intermediate ones behind it, and its private key. They are read by Start,
	// and again when they have changed, at a handshake at most a second later.
	// Files that cannot be used then are logged, and change nothing.
	CertFile, KeyFile string

	// Config has everything else: client certificates, versions, certificates
	// by name. The server uses a copy. It sets NextProtos, and GetCertificate
	// if there are files.
	Config *tls.Config

	// HTTP2, if it is set, serves connections whose clients choose HTTP/2, with
	// net/http's server; without it the server offers HTTP/1.1 only.
	// nethttp.OfServer makes one of the server itself. Such connections count
	// among Limits.Conns, and a drain lets their requests end.
	HTTP2 http.Handler
}

// tlsPrefix makes an address one that speaks TLS.
const tlsPrefix = "tls:"

// check returns an error if the files cannot be used or nothing uses t.
func (t *TLS) check(addrs []string) error {
	secure := slices.ContainsFunc(addrs, isTLS)
	switch {
	case t == nil && secure:
		return errors.New(`weir: an address begins with "tls:", but Server.TLS is nil`)
	case t == nil:
		return nil
	case !secure && len(addrs) > 0:
		return errors.New(`weir: Server.TLS is set, but no address begins with "tls:"`)
	case (t.CertFile == "") != (t.KeyFile == ""):
		return errors.New("weir: TLS.CertFile and TLS.KeyFile must be set together")
	case t.CertFile == "" && (t.Config == nil || len(t.Config.Certificates) == 0 && t.Config.GetCertificate == nil && t.Config.GetConfigForClient == nil):
		return errors.New("weir: Server.TLS has no certificate; set CertFile and KeyFile, or Config.Certificates")
	}
	return nil
}

func isTLS(addr string) bool { return strings.HasPrefix(addr, tlsPrefix) }

// secure makes the reactor's side of Server.TLS.
func (s *Server) secure() (*reactor.TLS, error) {
	t := s.TLS
	if t == nil {
		return nil, nil
	}
	cfg := new(tls.Config)
	if t.Config != nil {
		cfg = t.Config.Clone()
	}
	if t.CertFile != "" {
		files := &certificate{cert: t.CertFile, key: t.KeyFile, log: s.log}
		if err := files.load(); err != nil {
			return nil, fmt.Errorf("weir: TLS certificate: %w", err)
		}
		cfg.GetCertificate, cfg.Certificates = files.get, nil
	}
	cfg.NextProtos = []string{"http/1.1"}
	if t.HTTP2 != nil {
		s.http2 = newHTTP2(s, t.HTTP2)
		cfg.NextProtos = []string{"h2", "http/1.1"}
	}
	return &reactor.TLS{Config: cfg, Handshakes: s.Limits.Handshakes, Timeout: s.Timeouts.Handshake, Misdirected: misdirected}, nil
}

// listen listens on one of Start's addresses.
func (s *Server) listen(addr string) error {
	rest, secure := strings.CutPrefix(addr, tlsPrefix)
	if !secure {
		_, err := s.reactor.Listen(addr)
		return err
	}
	got, err := s.reactor.ListenTLS(rest, s.tls)
	if err == nil {
		s.tlsAddrs = append(s.tlsAddrs, got)
	}
	return err
}

// TLSAddrs are those of Addrs on which the server speaks TLS.
func (s *Server) TLSAddrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tlsAddrs)
}

// misdirected is the response to a client that speaks HTTP in the clear on a
// port with TLS (L23); other bytes get none.
func misdirected(first [5]byte) []byte {
	switch string(first[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET", "OPTIO", "TRACE", "CONNE":
		return []byte(clearRefusal)
	}
	return nil
}

const clearRefusal = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n" +
	"Content-Length: 48\r\nConnection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"

// TLS is what the TLS handshake of the request's connection has agreed on, and
// nil in the clear. It must not be changed.
func (r *Request) TLS() *tls.ConnectionState {
	if r.ex == nil {
		return r.tls
	}
	return r.ex.carrier.tls()
}
