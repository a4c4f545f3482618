// Package tlstest makes certificates for tests. They are valid under the fake
// clock of testing/synctest, too, which begins in the year 2000.
package tlstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// An Identity is a certificate that signs itself, for servers and clients.
type Identity struct {
	Certificate tls.Certificate
	Pool        *x509.CertPool // that trusts it
}

var serial atomic.Int64

// New makes an Identity with the names, which may be addresses.
func New(tb testing.TB, names ...string) *Identity {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(serial.Add(1)),
		Subject:               pkix.Name{CommonName: names[0]},
		NotBefore:             time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	id := &Identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, x509.NewCertPool()}
	id.Pool.AddCert(leaf)
	return id
}

// Server is a configuration for the server's side.
func (id *Identity) Server() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{id.Certificate}}
}

// Client is a configuration for a client that trusts the Identity.
func (id *Identity) Client() *tls.Config {
	return &tls.Config{RootCAs: id.Pool, ServerName: id.Certificate.Leaf.Subject.CommonName}
}

// Files writes the Identity to cert.pem and key.pem in the folder, each
// replaced whole, and returns their paths.
func (id *Identity) Files(tb testing.TB, folder string) (cert, key string) {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(id.Certificate.PrivateKey)
	if err != nil {
		tb.Fatal(err)
	}
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for path, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: id.Certificate.Certificate[0]},
		key:  {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(path+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			tb.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			tb.Fatal(err)
		}
	}
	return cert, key
}
