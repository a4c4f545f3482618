package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/tlstest"
)

// The files of tls are found beside the configuration, and looked at.
func TestTLS(t *testing.T) {
	folder := t.TempDir()
	tlstest.New(t, "gw.test").Files(t, folder)
	const rest = "\nupstreams: {a: {url: \"http://127.0.0.1:1\"}}\nmodels: {m: {targets: [{upstream: a}]}}\n"
	for text, want := range map[string]string{
		"tls: {cert: cert.pem, key: key.pem}":  "",
		"tls: {cert: cert.pem}":                "/tls: the file with the certificate's private key is missing",
		"tls: {key: key.pem}":                  "/tls: the file with the certificate is missing",
		"tls: {cert: none.pem, key: key.pem}":  "no such file",
		"tls: {cert: cert.pem, key: cert.pem}": "/tls: tls: ",
	} {
		path := filepath.Join(folder, "weir.yaml")
		if err := os.WriteFile(path, []byte(text+rest), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := LoadFor(nil, path)
		switch {
		case want != "":
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", text, err, want)
			}
		case err != nil:
			t.Errorf("%s: got %v", text, err)
		case c.TLS.Cert != filepath.Join(folder, "cert.pem") || c.TLS.Key != filepath.Join(folder, "key.pem"):
			t.Errorf("%s: got %+v", text, c.TLS)
		}
	}
}
