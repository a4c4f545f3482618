package gateway

import (
	"time"

	"weir"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/dialect/known"
	"weir/cmd/weir/internal/observe"
	"weir/cmd/weir/internal/relay"
	"weir/plugin"
	"weir/ws"
)

// mux routes requests by one configuration, and notes which of its patterns are
// for WebSockets.
func (gw *Gateway) mux(g *generation) *weir.Mux {
	mux := new(weir.Mux)
	for _, d := range known.Dialects {
		for _, e := range d.Endpoints() {
			if pattern := e.Method + " " + e.Path; e.Kind.Relayed() {
				mux.HandleLoop(pattern, g.gateway.At(e))
			} else {
				mux.HandleFunc(pattern, gw.own(g, e)).Inline()
			}
		}
	}
	mux.HandleFunc("GET "+config.HealthPath, gw.Probes.Health).Inline()
	if g.cfg.Admin.Probes {
		gw.Probes.Register(mux)
	}
	for _, r := range g.cfg.Routes {
		seen := observed(gw.env.Observer, r.Native)
		if h, _ := plugin.Lookup(r.Native); h.WebSocket != nil {
			g.sockets = append(g.sockets, mux.HandleLoop(r.Path, ws.Native(r.Native, ws.Options{}), seen).Pattern())
			continue
		}
		mux.Handle(r.Path, weir.Native(r.Native), seen).MaxBody(int64(g.cfg.Limits.Body))
	}
	return mux
}

// observed observes the requests that a route passes to a native handler. They
// count under the handler's name, others under their model's.
func observed(o *observe.Observer, name string) weir.Middleware {
	h, _ := plugin.Lookup(name) // weir.Native has looked
	return func(next weir.Handler) weir.Handler {
		return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			if !o.Began(r) {
				return // the client has disconnected
			}
			rec := &relay.Record{Request: r, Asked: name, Model: name, Upstream: name, Attempts: 1, Stream: h.Stream != nil}
			since := time.Now()
			r.OnClose(func(cause error) {
				rec.Answered(w, since, cause)
				o.Ended(rec)
			})
			next.Serve(w, r)
		})
	}
}
