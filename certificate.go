package weir

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// certificate is a certificate in two files, which are looked at again at a
// handshake, once a second at most. Its methods are safe for concurrent use.
type certificate struct {
	cert, key string
	log       func() *slog.Logger

	current atomic.Pointer[tls.Certificate]
	looked  atomic.Int64 // when, in nanoseconds
	mu      sync.Mutex   // held by the one who looks
	seen    string       // the versions that were read last, usable or not
}

const certificateLook = time.Second

// load reads the files.
func (c *certificate) load() error {
	c.looked.Store(time.Now().UnixNano())
	c.seen = c.versions()
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil {
		c.current.Store(&pair)
	}
	return err
}

// get is a tls.Config's GetCertificate (L24).
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if time.Now().UnixNano()-c.looked.Load() >= int64(certificateLook) && c.mu.TryLock() {
		c.look()
		c.mu.Unlock()
	}
	return c.current.Load(), nil
}

// look reads the files again if they have changed.
func (c *certificate) look() {
	if c.versions() == c.seen {
		c.looked.Store(time.Now().UnixNano())
		return
	}
	if err := c.load(); err != nil {
		c.log().Error("weir: TLS certificate not reloaded, the current one stays in use", "err", err)
		return
	}
	c.log().Info("weir: TLS certificate reloaded", "file", c.cert)
}

// versions is a text that changes when one of the files does.
func (c *certificate) versions() (v string) {
	for _, path := range []string{c.cert, c.key} {
		st, err := os.Stat(path)
		if err != nil {
			v += err.Error()
			continue
		}
		v += fmt.Sprint(st.ModTime().UnixNano(), " ", st.Size(), "/")
	}
	return v
}
