package reactor_test

import (
	"crypto/tls"
	"testing"
	"testing/synctest"

	"weir/internal/tlstest"
	"weir/reactor"
)

// FuzzTLSInput sends bytes that are not from a client of TLS, instead of a
// hello, behind one, or behind a handshake, cut at a place. Whatever they are:
// the handler sees nothing of them, its connection ends once at most, and another
// connection of the loop is served.
func FuzzTLSInput(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint8(0), uint16(1))
	f.Add([]byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"), uint8(0), uint16(3))
	f.Add([]byte("\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x20"), uint8(1), uint16(6))
	f.Add([]byte("\x17\x03\x03\x00\x01x\x15\x03\x03\x00\x02\x01\x00"), uint8(2), uint16(2))
	f.Add([]byte("\x17\x03\x03\xff\xff"), uint8(2), uint16(5))
	id := tlstest.New(f, "weir.test")
	f.Fuzz(func(t *testing.T, data []byte, stage uint8, cut uint16) {
		onMemory(t, func(w0 *world) {
			version := uint16(tls.VersionTLS12) + uint16(stage/3%2)
			w := &secureWorld{world: w0, id: id, tls: &reactor.TLS{Config: id.Server()}, client: id.Client()}
			w.client.MinVersion, w.client.MaxVersion = version, version
			w.start(reactor.Config{})
			var raw client
			var p *probe
			switch stage % 3 {
			case 2:
				var c *secureClient
				c, p = w.dial()
				raw = c.raw
			default:
				raw, p = w.raw()
				if stage%3 == 1 {
					raw.Write(recorded(w, w.client))
				}
			}
			at := min(int(cut), len(data))
			for _, part := range [][]byte{data[:at], data[at:]} {
				raw.Write(part)
				synctest.Wait()
			}
			other, q := w.dial()
			w.write(other, "hello")
			q.expect(w, "data hello")
			raw.Close()
			synctest.Wait()
			for said := false; ; {
				select {
				case got := <-p.said:
					switch {
					case got == "peer closed" && !said:
					case got == "closed" && !said:
						said = true
					default:
						w.Fatalf("handler: got %.80q", got)
					}
					continue
				default:
				}
				break
			}
		})
	})
}
