package reactor_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"weir/reactor"
)

// records is a client's record layer of TLS 1.3 (RFC 8446 5), for what
// crypto/tls has no function for. It takes over after the handshake.
type records struct {
	io.ReadWriter
	in, out direction
}

// direction is the keys of one direction, with TLS_AES_128_GCM_SHA256.
type direction struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

func expand(secret []byte, label string, n int) []byte {
	label = "tls13 " + label
	info := append([]byte{0, byte(n), byte(len(label))}, label...)
	key, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
	if err != nil {
		panic(err)
	}
	return key
}

func (d *direction) use(secret []byte) {
	block, err := aes.NewCipher(expand(secret, "key", 16))
	if err == nil {
		d.aead, err = cipher.NewGCM(block)
	}
	if err != nil {
		panic(err)
	}
	d.secret, d.iv, d.seq = secret, expand(secret, "iv", 12), 0
}

func (d *direction) update() { d.use(expand(d.secret, "traffic upd", 32)) }

func (d *direction) nonce() []byte {
	n := bytes.Clone(d.iv)
	for i, b := range binary.BigEndian.AppendUint64(nil, d.seq) {
		n[4+i] ^= b
	}
	d.seq++
	return n
}

// takeOver begins after a handshake of which log has the secrets.
func takeOver(t testing.TB, rw io.ReadWriter, log string) *records {
	t.Helper()
	r := &records{ReadWriter: rw}
	for line := range strings.Lines(log) {
		f := strings.Fields(line)
		secret, err := hex.DecodeString(f[2])
		if err != nil {
			t.Fatal(err)
		}
		switch f[0] {
		case "CLIENT_TRAFFIC_SECRET_0":
			r.out.use(secret)
		case "SERVER_TRAFFIC_SECRET_0":
			r.in.use(secret)
		}
	}
	return r
}

// record seals one record, of application data (23), a handshake message (22)
// or an alert (21).
func (r *records) record(kind byte, text string) []byte {
	header := []byte{23, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(header[3:], uint16(len(text)+1+16))
	return r.out.aead.Seal(header, r.out.nonce(), append([]byte(text), kind), header)
}

// next reads one record; its last byte is its kind.
func (r *records) next() (kind byte, text string, err error) {
	header := make([]byte, 5)
	if _, err := io.ReadFull(r, header); err != nil {
		return 0, "", err
	}
	body := make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, "", err
	}
	plain, err := r.in.aead.Open(nil, r.in.nonce(), body, header)
	if err != nil {
		return 0, "", err
	}
	return plain[len(plain)-1], string(plain[:len(plain)-1]), nil
}

const (
	updateAsked = "\x18\x00\x00\x01\x01" // KeyUpdate, update_requested
	update      = "\x18\x00\x00\x01\x00"
)

// records is dial with a record layer that can do what crypto/tls does not.
func (w *secureWorld) records(t testing.TB) (*records, *secureClient, *probe) {
	var log bytes.Buffer
	w.client.KeyLogWriter = &log
	c, p := w.dial()
	if c.ConnectionState().CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skip("this machine prefers another cipher than AES-GCM")
	}
	w.client.KeyLogWriter = nil
	return takeOver(t, c.raw, log.String()), c, p
}

// A client changes its keys, and asks for ours, in the middle of a stream; also
// in pieces, and with data in the same write.
func TestTLSKeyUpdate(t *testing.T) {
	everywhere(t, func(w0 *world) {
		w := newSecureWorld(w0, tls.VersionTLS13)
		w.tls.Config.SessionTicketsDisabled = true // they would come between the records
		w.start(reactor.Config{})
		r, _, p := w.records(w)
		w.do(func() { p.onData = p.echo })
		expect := func(kind byte, want string) {
			w.Helper()
			if k, got, err := r.next(); k != kind || got != want || err != nil {
				w.Fatalf("got a record %d, %q, %v, want %d, %q", k, got, err, kind, want)
			}
		}
		for i := range 20 {
			r.Write(r.record(23, fmt.Sprint("before ", i)))
			expect(23, fmt.Sprint("before ", i))
			half := r.record(22, updateAsked[:2])
			rest := r.record(22, updateAsked[2:])
			r.out.update()
			more := r.record(23, "after")
			if i%2 == 0 {
				r.Write(bytes.Join([][]byte{half, rest, more}, nil))
			} else {
				for _, b := range bytes.Join([][]byte{half, rest, more}, nil) {
					r.Write([]byte{b})
					w.settle()
				}
			}
			expect(22, update)
			r.in.update()
			expect(23, "after")
		}
	})
}

// A client that asks for keys again and again and reads nothing does not make
// output grow.
func TestTLSKeyUpdatesUnread(t *testing.T) {
	onMemory(t, func(w0 *world) {
		w := newSecureWorld(w0, tls.VersionTLS13)
		w.tls.Config.SessionTicketsDisabled = true // they would come between the records
		w.start(reactor.Config{WriteStall: time.Hour})
		r, c, p := w.records(w)
		p.onData = func(b []byte) int { return len(b) }
		w.settle()
		c.memory().SetWindow(0)
		most := 0
		for range 20_000 {
			rec := r.record(22, updateAsked)
			r.out.update()
			if _, err := r.Write(append(rec, r.record(23, "x")...)); err != nil {
				break
			}
			w.settle()
			most = max(most, p.pending())
		}
		p.expect(w, "closed")
		if p.cause != reactor.ErrStalled || most > 200<<10 {
			w.Errorf("got the cause %v with %d bytes pending", p.cause, most)
		}
	})
}

// A client's fatal alert ends the connection; one that tells of its end in the
// middle of a handshake message does too.
func TestTLSAlerts(t *testing.T) {
	onMemory(t, func(w0 *world) {
		w := newSecureWorld(w0, tls.VersionTLS13)
		w.tls.Config.SessionTicketsDisabled = true // they would come between the records
		w.start(reactor.Config{})
		for name, send := range map[string]func(r *records) []byte{
			"alert":                 func(r *records) []byte { return r.record(21, "\x02\x50") },
			"an unknown message":    func(r *records) []byte { return r.record(22, "\x01\x00\x00\x00") },
			"an unknown type":       func(r *records) []byte { return r.record(99, "x") },
			"data inside a message": func(r *records) []byte { return append(r.record(22, updateAsked[:2]), r.record(23, "x")...) },
			"too many messages": func(r *records) (all []byte) {
				for range 40 {
					all = append(all, r.record(22, update)...)
					r.out.update()
				}
				return all
			},
			"a record too large": func(r *records) []byte { return r.record(23, strings.Repeat("x", 16<<10+1)) },
			"empty records": func(r *records) (all []byte) {
				for range 40 {
					all = append(all, r.record(23, "")...)
				}
				return all
			},
		} {
			r, c, p := w.records(w)
			r.Write(send(r))
			p.expect(w, "closed")
			if e := new(reactor.TLSError); !errors.As(p.cause, &e) {
				w.Errorf("%s: got the cause %v, want a TLSError", name, p.cause)
			}
			c.raw.Close()
		}
	})
}
