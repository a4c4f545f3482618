package main

import (
	"net/http"

	"github.com/lxzan/gws"
)

// withGWS gives each connection a goroutine of its own, so that net/http's ends
// and its memory with it: as gws's examples do.
func withGWS() http.HandlerFunc {
	upgrader := gws.NewUpgrader(new(echo), new(gws.ServerOption))
	return func(w http.ResponseWriter, r *http.Request) {
		if c, err := upgrader.Upgrade(w, r); err == nil { // else it has written the error
			go c.ReadLoop()
		}
	}
}

type echo struct{ gws.BuiltinEventHandler }

func (*echo) OnMessage(c *gws.Conn, m *gws.Message) {
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // OnClose has the error
	_ = m.Close()                           // back to the pool; never fails
}
