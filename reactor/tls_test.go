package reactor_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/memloop"
	"weir/internal/tlstest"
	"weir/reactor"
)

// A handler sees the plaintext and the client's end; its own end arrives as
// close_notify and FIN.
func TestTLS(t *testing.T) {
	secured(t, func(w *secureWorld) {
		w.start(reactor.Config{})
		c, p := w.dial()
		w.write(c, "hello")
		p.expect(w, "data hello")
		p.send("welcome")
		w.reads(c, "welcome")
		w.do(func() {
			if st := p.conn.TLS(); st == nil || st.Version != w.client.MaxVersion || st.ServerName != "weir.test" {
				w.Errorf("got the state %+v", st)
			}
			p.conn.Close()
		})
		w.reads(c, "$")
		c.Close()
		p.expect(w, "closed")
		if p.cause != reactor.ErrClosed {
			w.Errorf("got the cause %v, want ErrClosed", p.cause)
		}
	})
}

// What the client ends with close_notify has ended; what is behind it is not
// shown, and the answer still arrives.
func TestTLSHalfClose(t *testing.T) {
	secured(t, func(w *secureWorld) {
		w.start(reactor.Config{})
		c, p := w.dial()
		w.write(c, "last")
		if err := c.CloseWrite(); err != nil {
			w.Fatal(err)
		}
		c.raw.SetWriteDeadline(time.Time{}) // which crypto/tls lets pass behind a close_notify
		w.write(c.raw, "\x17\x03\x03\x00\x03abc")
		p.expect(w, "data last", "peer closed")
		w.do(func() {
			if !p.conn.InputEnded() || !p.conn.PeerGone() {
				w.Error("the input has not ended")
			}
		})
		p.send("answer")
		w.do(p.conn.Close)
		w.reads(c, "answer$")
		c.raw.CloseWrite()
		p.expect(w, "closed")
		if p.cause != reactor.ErrClosed {
			w.Errorf("got the cause %v, want ErrClosed", p.cause)
		}
	})
}

// FIN without close_notify, and RST, are what they are in the clear. A record
// that is not whole is not shown.
func TestTLSDisconnects(t *testing.T) {
	for name, test := range map[string]struct {
		leave func(c *secureClient)
		want  []string
	}{
		"FIN":             {func(c *secureClient) { c.raw.CloseWrite() }, []string{"data hello", "peer closed"}},
		"FIN in a record": {func(c *secureClient) { c.raw.Write([]byte("\x17\x03\x03\x00\x30half a rec")); c.raw.CloseWrite() }, []string{"data hello", "peer closed"}},
		"RST":             {func(c *secureClient) { c.raw.Reset() }, []string{"data hello", "closed"}},
		"RST in a record": {func(c *secureClient) { c.raw.Write([]byte("\x17\x03\x03\x00\x30half")); c.raw.Reset() }, []string{"data hello", "closed"}},
		"close":           {func(c *secureClient) { c.Close() }, []string{"data hello", "peer closed"}},
	} {
		t.Run(name, func(t *testing.T) {
			securedMemory(t, func(w *secureWorld) {
				w.start(reactor.Config{})
				c, p := w.dial()
				w.write(c, "hello")
				w.settle()
				test.leave(c)
				p.expect(w, test.want...)
				w.settle()
				p.silent(w)
			})
		})
	}
}

// cutting is a client's end whose stream of written bytes is cut at a place.
type cutting struct {
	net.Conn
	at, sent int
}

func (c *cutting) Write(p []byte) (int, error) {
	n := 0
	if c.at >= c.sent && c.at < c.sent+len(p) {
		n = c.at - c.sent
		if _, err := c.Conn.Write(p[:n]); err != nil {
			return 0, err
		}
		synctest.Wait()
	}
	c.sent += len(p)
	if _, err := c.Conn.Write(p[n:]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// The stream of bytes from the client is cut at every byte.
func TestTLSCutAnywhere(t *testing.T) {
	const hello = "a first record"
	securedMemory(t, func(w *secureWorld) {
		w.start(reactor.Config{})
		for at, more := 0, true; more; at++ {
			raw, p := w.raw()
			p.onData = p.echo
			cut := &cutting{Conn: raw, at: at}
			c := tls.Client(cut, w.client)
			got := make([]byte, 2*len(hello))
			for i := range 2 {
				if _, err := io.WriteString(c, hello); err != nil {
					w.Fatalf("cut at %d: %v", at, err)
				}
				if _, err := io.ReadFull(c, got[i*len(hello):(i+1)*len(hello)]); err != nil {
					w.Fatalf("cut at %d: %v", at, err)
				}
			}
			if string(got) != hello+hello {
				w.Fatalf("cut at %d: got %q", at, got)
			}
			c.Close()
			if err := raw.Close(); err != nil {
				w.Fatal(err)
			}
			p.expect(w, "peer closed")
			w.do(p.conn.Close)
			p.expect(w, "closed")
			more = at < cut.sent
		}
	})
}

// byByte is a client's end that sends one byte at a time.
type byByte struct{ net.Conn }

func (c byByte) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
		synctest.Wait()
	}
	return len(p), nil
}

// Both directions byte by byte: the client holds one byte unread.
func TestTLSByteByByte(t *testing.T) {
	securedMemory(t, func(w *secureWorld) {
		w.start(reactor.Config{})
		raw, p := w.raw()
		raw.(*memloop.Client).SetWindow(1)
		p.onData = p.echo
		c := tls.Client(byByte{raw}, w.client)
		for i := range 5 {
			text := strings.Repeat(fmt.Sprint(i), 1+400*i)
			w.write(c, text)
			got := make([]byte, len(text))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
				w.Fatalf("got %.20q, %v, want %.20q", got, err, text)
			}
		}
		w.do(p.conn.Close)
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			w.Errorf("got %d, %v, want the end", n, err)
		}
	})
}

// Megabytes in both directions at once arrive whole.
func TestTLSBulk(t *testing.T) {
	const size = 4 << 20
	secured(t, func(w *secureWorld) {
		w.start(reactor.Config{})
		c, p := w.dial()
		received := make(chan int, 1)
		sum := 0
		w.do(func() {
			p.onData = func(b []byte) int {
				if sum += len(b); sum == size {
					received <- sum
				}
				return len(b)
			}
		})
		go func() {
			for n := 0; n < size; n += 1000 {
				c.Write(bytes.Repeat([]byte{'u'}, min(1000, size-n)))
			}
		}()
		go func() {
			frame, big := bytes.Repeat([]byte{'d'}, 100), bytes.Repeat([]byte{'d'}, 64<<10-100)
			for range size / (64 << 10) {
				p.conn.Lock()
				room := p.conn.Room()
				if room != nil {
					p.conn.Unlock()
					<-room
					p.conn.Lock()
				}
				b := p.conn.Buffer()
				*b = append(*b, frame...)
				p.conn.FlushWith(big, nil)
			}
			<-received
			w.world.do(p.conn.Close)
		}()
		n, err := io.Copy(io.Discard, c)
		if n != size || err != nil {
			w.Errorf("client: got %d bytes, %v, want %d", n, err, size)
		}
	})
}

// Frames that are combined share a record, and a write.
func TestTLSCombines(t *testing.T) {
	securedMemory(t, func(w *secureWorld) {
		w.start(reactor.Config{})
		c, p := w.dial()
		w.settle()
		before := c.memory().WriteCalls()
		pending := c.memory().Pending()
		w.do(func() {
			for range 10 {
				p.echo([]byte("0123456789"))
			}
		})
		w.settle()
		if n := c.memory().WriteCalls() - before; n != 1 {
			w.Errorf("got %d writes, want 1", n)
		}
		if n := c.memory().Pending() - pending; n > 100+5+16+9 {
			w.Errorf("got %d bytes of ciphertext, want one record", n)
		}
		w.reads(c, strings.Repeat("0123456789", 10))
	})
}

// A client that reads nothing: pending output is bounded by the marks, producers
// go on when it reads, and without that it is cut after the stall time.
func TestTLSBackpressure(t *testing.T) {
	securedMemory(t, func(w *secureWorld) {
		w.start(reactor.Config{HighMark: 100 << 10, WriteStall: 10 * time.Second})
		c, p := w.dial()
		w.settle()
		c.memory().SetWindow(1000)
		frame := bytes.Repeat([]byte{'x'}, 1000)
		sent := 0
		send := func() (room <-chan struct{}) {
			for {
				p.conn.Lock()
				if room = p.conn.Room(); room != nil || p.conn.Err() != nil {
					p.conn.Unlock()
					return room
				}
				b := p.conn.Buffer()
				*b = append(*b, frame...)
				sent += len(frame)
				p.conn.Flush()
			}
		}
		room := send()
		if n := p.pending(); n < 100<<10 || n > 110<<10 {
			w.Errorf("got %d bytes pending, want the high mark", n)
		}
		if sent > 120<<10 {
			w.Errorf("got %d bytes accepted, want about the high mark", sent)
		}
		c.memory().SetWindow(1 << 20)
		<-room
		p.expect(w, "drained")
		if _, err := io.ReadFull(c, make([]byte, sent)); err != nil {
			w.Fatal(err)
		}
		c.memory().SetWindow(0)
		room = send()
		began := time.Now()
		<-room
		p.expect(w, "closed")
		if p.cause != reactor.ErrStalled {
			w.Errorf("got the cause %v, want ErrStalled", p.cause)
		}
		if d := time.Since(began); d < 9*time.Second || d > 12*time.Second {
			w.Errorf("got %v until the cut, want the stall time", d)
		}
	})
}

// Pause stops decrypting and reading, and Resume shows the rest.
func TestTLSPause(t *testing.T) {
	securedMemory(t, func(w *secureWorld) {
		w.start(reactor.Config{})
		c, p := w.dial()
		var seen atomic.Int64
		p.onData = func(b []byte) int {
			seen.Add(int64(len(b)))
			p.conn.Pause()
			return len(b)
		}
		const size = 400 << 10
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.write(c, strings.Repeat("x", size))
			c.CloseWrite()
		}()
		for last := int64(0); last < size; {
			synctest.Wait()
			now := seen.Load()
			if now == last {
				w.Fatalf("no more comes after %d bytes", now)
			}
			if n := now - last; n > 64<<10 {
				w.Fatalf("got %d bytes in one step", n)
			}
			p.silent(w)
			if last = now; last < size {
				w.do(p.conn.Resume)
			}
		}
		<-done
		p.silent(w)
		w.do(p.conn.Resume)
		p.expect(w, "peer closed")
	})
}

// What was not consumed is shown again, with what comes behind it.
func TestTLSKeepsInput(t *testing.T) {
	securedMemory(t, func(w *secureWorld) {
		w.start(reactor.Config{})
		c, p := w.dial()
		shown := make(chan string, 10)
		p.onData = func(b []byte) int {
			shown <- string(b)
			return strings.LastIndexByte(string(b), '\n') + 1
		}
		for _, step := range []struct{ write, want string }{
			{"ab", "ab"}, {"c\nd", "abc\nd"}, {"e\n", "de\n"},
		} {
			w.write(c, step.write)
			if got := <-shown; got != step.want {
				w.Errorf("got %q, want %q", got, step.want)
			}
		}
	})
}

// A record that was tampered with ends its connection with an alert, and no
// other. What was sent before is seen.
func TestTLSTampered(t *testing.T) {
	secured(t, func(w *secureWorld) {
		w.start(reactor.Config{})
		other, q := w.dial()
		c, p := w.dial()
		w.write(c, "good")
		p.expect(w, "data good")
		c.raw.Write(append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...))
		failedTLS(w, p)
		_, err := c.Read(make([]byte, 1))
		if err == nil || !strings.Contains(err.Error(), "bad record MAC") {
			w.Errorf("client: got %v, want an alert", err)
		}
		if err := p.err(); err == nil {
			w.Error("output goes on")
		}
		w.write(other, "still here")
		q.expect(w, "data still here")
	})
}

// A producer that sends while the loop finds a record tampered with gets an
// error, and the client the alert.
func TestTLSTamperedWhileWriting(t *testing.T) {
	securedMemory(t, func(w *secureWorld) {
		w.start(reactor.Config{})
		c, p := w.dial()
		w.settle()
		entered, release := c.memory().HoldWrite()
		go p.send("in write(2)")
		<-entered
		c.raw.Write(append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...))
		failedTLS(w, p)
		release()
		w.reads(c, "in write(2)")
		if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "bad record MAC") {
			w.Errorf("client: got %v, want an alert", err)
		}
	})
}

// What is no TLS gets an alert, or what Misdirected says.
func TestTLSGarbage(t *testing.T) {
	for name, test := range map[string]struct {
		send, want string
	}{
		"HTTP":             {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "misdirected GET /$"},
		"HTTP, split":      {"G|ET / HT|TP/1.1\r\nHost: x\r\n\r\n", "misdirected GET /$"},
		"an old hello":     {"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + strings.Repeat("x", 40), "\x15\x03\x01\x00\x02\x02\x46$"},
		"a broken hello":   {"\x16\x03\x01\x00\x04\x01\x00\x00\x00", "\x15\x03\x01\x00\x02\x02\x32$"},
		"a huge record":    {"\x16\x03\x01\xff\xff" + strings.Repeat("x", 100), "\x15\x03\x01\x00\x02\x02\x16$"},
		"application data": {"\x17\x03\x01\x00\x01x", "misdirected \x17\x03\x01\x00\x01$"},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(w0 *world) {
				w := newSecureWorld(w0, tls.VersionTLS13)
				w.tls.Misdirected = func(first [5]byte) []byte { return append([]byte("misdirected "), first[:]...) }
				w.start(reactor.Config{})
				c, p := w.raw()
				for part := range strings.SplitSeq(test.send, "|") {
					c.Write([]byte(part))
					w.settle()
				}
				w.world.reads(c, test.want)
				failedTLS(w, p)
				c.Close()
			})
		})
	}
}

// A handshake that takes too long, and one too many, end. A connection that is
// silent is no handshake.
func TestTLSHandshakeLimits(t *testing.T) {
	onMemory(t, func(w0 *world) {
		w := newSecureWorld(w0, tls.VersionTLS13)
		w.tls.Handshakes = 2
		w.start(reactor.Config{})
		hello := recorded(w, w.client)
		began := time.Now()
		var silent, slow []*probe
		for range 3 {
			_, p := w.raw()
			silent = append(silent, p)
		}
		for range 2 {
			c, p := w.raw()
			c.Write(hello)
			slow = append(slow, p)
		}
		w.settle()
		c, p := w.raw()
		c.Write(hello)
		p.expect(w, "closed")
		if p.cause != reactor.ErrHandshakes {
			w.Errorf("got the cause %v, want ErrHandshakes", p.cause)
		}
		for _, p := range append(silent, slow...) {
			p.expect(w, "closed")
			if p.cause != reactor.ErrHandshakeTimeout {
				w.Errorf("got the cause %v, want ErrHandshakeTimeout", p.cause)
			}
		}
		if d := time.Since(began); d < 10*time.Second || d > 11*time.Second {
			w.Errorf("got %v, want 10 s", d)
		}
		w.settle()
		w.dial() // there is room again
	})
}

// recorded is a client's hello.
func recorded(t testing.TB, cfg *tls.Config) []byte {
	a, b := net.Pipe()
	go func() {
		tls.Client(a, cfg).Handshake()
	}()
	buf := make([]byte, 16<<10)
	n, err := b.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	return buf[:n]
}

// A client that disconnects in the handshake, after any of its bytes.
func TestTLSDisconnectsInTheHandshake(t *testing.T) {
	onMemory(t, func(w0 *world) {
		w := newSecureWorld(w0, tls.VersionTLS13)
		w.start(reactor.Config{})
		hello := recorded(w, w.client)
		for n := 0; n <= len(hello); n += 1 + n/8 {
			for name, leave := range map[string]func(c client){"FIN": func(c client) { c.CloseWrite() }, "RST": client.Reset} {
				c, p := w.raw()
				c.Write(hello[:n])
				w.settle()
				leave(c)
				p.expect(w, "closed")
				w.settle()
				p.silent(w)
				if p.cause == nil || p.cause == reactor.ErrHandshakeTimeout {
					w.Errorf("%s after %d bytes: got the cause %v", name, n, p.cause)
				}
			}
		}
	})
}

// A client that sends its request with the last record of its handshake, and
// its end, all of which arrive while the handshake runs.
func TestTLSAllAtOnce(t *testing.T) {
	onMemory(t, func(w0 *world) {
		w := newSecureWorld(w0, tls.VersionTLS13)
		w.start(reactor.Config{})
		raw, p := w.raw()
		hold := &holding{Conn: raw}
		c := tls.Client(hold, w.client)
		if err := c.Handshake(); err != nil {
			w.Fatal(err)
		}
		w.write(c, "request")
		c.CloseWrite()
		hold.release()
		raw.CloseWrite()
		p.expect(w, "data request", "peer closed")
		w.do(func() {
			if !p.conn.InputEnded() {
				w.Error("the input has not ended")
			}
		})
		p.send("response")
		w.do(p.conn.Close)
		got, err := io.ReadAll(c)
		if string(got) != "response" || err != nil {
			w.Errorf("got %q, %v", got, err)
		}
	})
}

// holding keeps back what is written once the server has spoken.
type holding struct {
	net.Conn
	heard bool
	kept  []byte
}

func (h *holding) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	h.heard = true
	return n, err
}

func (h *holding) Write(p []byte) (int, error) {
	if !h.heard {
		return h.Conn.Write(p)
	}
	h.kept = append(h.kept, p...)
	return len(p), nil
}

// SetWriteDeadline has no effect: crypto/tls lets all writes behind a
// close_notify fail by it.
func (h *holding) SetWriteDeadline(time.Time) error { return nil }

func (h *holding) release() {
	h.Conn.Write(h.kept)
	h.kept = nil
}

// Session tickets, client certificates and names.
func TestTLSSessions(t *testing.T) {
	secured(t, func(w *secureWorld) {
		w.client.ClientSessionCache = tls.NewLRUClientSessionCache(10)
		w.start(reactor.Config{})
		for i := range 2 {
			c, p := w.dial()
			p.send("x")
			w.reads(c, "x") // and the tickets before it
			if got := c.ConnectionState().DidResume; got != (i == 1) {
				w.Errorf("connection %d: resumed: %v", i, got)
			}
			w.do(func() {
				if p.conn.TLS().DidResume != (i == 1) {
					w.Errorf("connection %d: the server differs", i)
				}
			})
		}
	})
}

func TestTLSClientCertificates(t *testing.T) {
	secured(t, func(w *secureWorld) {
		mine := tlstest.New(w, "client.test")
		w.tls.Config.ClientAuth, w.tls.Config.ClientCAs = tls.RequireAndVerifyClientCert, mine.Pool
		w.client.Certificates = append(w.client.Certificates, mine.Certificate)
		w.start(reactor.Config{})
		c, p := w.dial()
		w.write(c, "hello")
		p.expect(w, "data hello")
		w.do(func() {
			if got := p.conn.TLS().PeerCertificates; len(got) != 1 || got[0].Subject.CommonName != "client.test" {
				w.Errorf("got the certificates %v", got)
			}
		})
		w.client.Certificates = nil
		raw, p := w.raw()
		d := tls.Client(raw, w.client)
		_, err := d.Read(make([]byte, 1))
		if err == nil || !strings.Contains(err.Error(), "remote error") {
			w.Errorf("without a certificate: got %v, want an alert", err)
		}
		failedTLS(w, p)
		raw.Close()
	})
}

func TestTLSServerNames(t *testing.T) {
	secured(t, func(w *secureWorld) {
		other := tlstest.New(w, "other.test")
		w.tls.Config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			switch hello.ServerName {
			case "other.test":
				return &other.Certificate, nil
			case "panic.test":
				panic("a callback")
			}
			return &w.id.Certificate, nil
		}
		w.start(reactor.Config{})
		w.dial()
		w.client.RootCAs, w.client.ServerName = other.Pool, "other.test"
		w.dial()
		w.client.ServerName = "panic.test"
		raw, p := w.raw()
		if err := tls.Client(raw, w.client).Handshake(); err == nil {
			w.Error("got a handshake")
		}
		failedTLS(w, p)
		raw.Close()
	})
}

// An idle connection that is closed says so: close_notify, then FIN, without a
// wait.
func TestTLSCloseIdle(t *testing.T) {
	securedMemory(t, func(w *secureWorld) {
		w.start(reactor.Config{})
		c, p := w.dial()
		p.send("x")
		w.reads(c, "x")
		w.settle()
		c.SetReadDeadline(time.Now())
		c.Read(make([]byte, 1))
		c.SetReadDeadline(time.Time{})
		w.settle()
		w.do(p.conn.CloseIdle)
		p.expect(w, "closed")
		if c.memory().Pending() == 0 {
			w.Error("got no close_notify")
		}
		w.reads(c, "$")
	})
}

// In the handshake a connection can be closed, dropped and aborted.
func TestTLSClosedInTheHandshake(t *testing.T) {
	onMemory(t, func(w0 *world) {
		w := newSecureWorld(w0, tls.VersionTLS13)
		w.start(reactor.Config{})
		hello := recorded(w, w.client)
		for i, end := range []func(c *reactor.Conn){
			(*reactor.Conn).Close, (*reactor.Conn).CloseIdle,
			func(c *reactor.Conn) { c.Drop(reactor.ErrClosed) }, func(c *reactor.Conn) { c.Abort(reactor.ErrClosed) },
		} {
			for _, n := range []int{0, 10, len(hello)} {
				c, p := w.raw()
				c.Write(hello[:n])
				w.settle()
				w.do(func() { end(p.conn) })
				p.expect(w, "closed")
				if p.cause != reactor.ErrClosed {
					w.Errorf("%d, %d bytes: got the cause %v", i, n, p.cause)
				}
				w.settle()
			}
		}
	})
}

func TestTLSNeedsAConfig(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		for _, cfg := range []*reactor.TLS{nil, {}} {
			if _, err := w.r.ListenTLS("127.0.0.1:0", cfg); err == nil {
				w.Error("ListenTLS: got no error")
			}
			if err := w.r.AttachTLS(w.loop(), 0, noAddr, cfg); err == nil {
				w.Error("AttachTLS: got no error")
			}
		}
	})
}

// The reactor ends while handshakes and connections are open.
func TestTLSStopped(t *testing.T) {
	secured(t, func(w *secureWorld) {
		w.start(reactor.Config{})
		_, p := w.dial()
		raw, q := w.raw()
		raw.Write([]byte{22, 3, 1})
		w.r.Close()
		for _, p := range []*probe{p, q} {
			p.expect(w, "closed")
			if !errors.Is(p.cause, reactor.ErrStopped) {
				w.Errorf("got the cause %v, want ErrStopped", p.cause)
			}
		}
	})
}
