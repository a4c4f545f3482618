package command

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"

	"weir"
)

// secure is the flags about TLS.
type secure struct {
	listen    Addresses
	cert, key string
}

// RegisterTLS adds the flags about TLS to those of Register.
func (s *Serving) RegisterTLS(fs *flag.FlagSet) {
	fs.Var(&s.tls.listen, "tls-listen", "`ADDRESS` to serve on with TLS, HTTP/1.1 and HTTP/2; needs --tls-cert and --tls-key; may be given more than once")
	fs.StringVar(&s.tls.cert, "tls-cert", "", "`FILE` with the certificate, PEM; it is read again when it changes")
	fs.StringVar(&s.tls.key, "tls-key", "", "`FILE` with the certificate's private key, PEM")
}

// CheckTLS returns an error if the flags about TLS do not fit each other.
func (s *Serving) CheckTLS() error {
	t := &s.tls
	switch {
	case len(t.listen.list) > 0 && (t.cert == "" || t.key == ""):
		return errors.New("--tls-listen needs --tls-cert FILE and --tls-key FILE")
	case len(t.listen.list) == 0 && (t.cert != "" || t.key != ""):
		return errors.New("--tls-cert and --tls-key need --tls-listen ADDRESS")
	}
	return nil
}

// FixedTLS is RegisterTLS for a subcommand whose configuration has the files:
// every TCP address of Fixed gets TLS.
func (s *Serving) FixedTLS(cert, key string) {
	s.tls.cert, s.tls.key = cert, key
	s.tls.listen.list = slices.DeleteFunc(slices.Clone(s.Listen.list), isUnix)
	s.Listen.list = slices.DeleteFunc(slices.Clone(s.Listen.list), func(addr string) bool { return !isUnix(addr) })
}

func isUnix(addr string) bool { return strings.HasPrefix(addr, "unix:") }

// addresses are what srv is to listen on. It sets srv.TLS if that needs it.
func (s *Serving) addresses(srv *weir.Server) []string {
	all := slices.Clone(s.Listen.list)
	if len(s.tls.listen.list) == 0 {
		return all
	}
	srv.TLS = &weir.TLS{CertFile: s.tls.cert, KeyFile: s.tls.key, HTTP2: s.HTTP2}
	for _, addr := range s.tls.listen.list {
		all = append(all, "tls:"+addr)
	}
	return all
}

// readyLines are the lines that say where the server can be reached: one for the
// addresses in the clear, one for those with TLS.
func readyLines(name string, srv *weir.Server) (text string) {
	secure := srv.TLSAddrs()
	clear := slices.DeleteFunc(srv.Addrs(), func(a net.Addr) bool { return contains(secure, a) })
	if len(clear) > 0 {
		text = fmt.Sprintf("%s: ready on %s\n", name, urls("http", clear))
	}
	if len(secure) > 0 {
		text += fmt.Sprintf("%s: ready on %s\n", name, urls("https", secure))
	}
	return text
}

func contains(all []net.Addr, a net.Addr) bool {
	return slices.ContainsFunc(all, func(b net.Addr) bool { return a.Network() == b.Network() && a.String() == b.String() })
}
