package relay

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"weir/cmd/weir/internal/mock"
)

// overH2 puts a server of HTTP/2 in front of a mock. What the mock does to its
// connection becomes what there is of it in HTTP/2: an answer that breaks off is
// a stream that is reset, and a stream that is reset a client that leaves.
func overH2(t *testing.T, m *mock.Server) (url string, roots *x509.CertPool) {
	t.Helper()
	b := &bridge{to: m.Addr()}
	s := httptest.NewUnstartedServer(b)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(func() {
		b.close()
		s.Close()
	})
	return s.URL, s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
}

// bridge passes each request on by a connection of its own.
type bridge struct {
	to string

	mu   sync.Mutex
	kept []net.Conn // of answers that were whole
}

func (b *bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := net.Dial("tcp", b.to)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	leave := context.AfterFunc(r.Context(), func() { conn.Close() })
	defer func() {
		if !leave() || recover() != nil {
			conn.Close()
			panic(http.ErrAbortHandler)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.kept = append(b.kept, conn)
	}()
	r.Host = b.to
	if err := r.Write(conn); err != nil {
		panic(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		panic(err)
	}
	res.Header.Del("Connection")
	for name, values := range res.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(res.StatusCode)
	if err := pass(w, res.Body); err != nil {
		panic(err)
	}
}

// pass copies an answer piece by piece.
func pass(w http.ResponseWriter, body io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		n, err := body.Read(buf)
		if _, werr := w.Write(buf[:n]); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			_ = http.NewResponseController(w).Flush() // what came before comes through
			return err
		}
	}
}

func (b *bridge) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, conn := range b.kept {
		conn.Close()
	}
}
