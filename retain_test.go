package weir_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"weak"

	"weir"
	"weir/weirtest"
)

// A program that keeps an ended stream keeps nothing of the connections that
// were open at the same time.
func TestEndedStreamKeepsNoOther(t *testing.T) {
	const conns = 5
	streams := make(chan *weir.Stream, 1)
	requests := make(chan weak.Pointer[weir.Request], 1)
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, r *weir.Request) {
		s := w.Stream()
		s.Detach()
		requests <- weak.Make(r)
		streams <- s
	}})
	atDesk(t, m, nil, func(d *desk) {
		var clients []*weirtest.Client
		var kept *weir.Stream
		var others []weak.Pointer[weir.Request]
		for i := range conns {
			clients = append(clients, d.get("/s"))
			s, r := <-streams, <-requests
			if i == conns/2 {
				kept = s
				continue
			}
			others = append(others, r)
		}
		clients[conns/2].Close()
		synctest.Wait()
		for _, c := range clients {
			c.Close()
		}
		synctest.Wait()
		clients = nil
		runtime.GC()
		for i, r := range others {
			if r.Value() != nil {
				t.Errorf("request %d is still there", i)
			}
		}
		runtime.KeepAlive(kept)
	})
}
