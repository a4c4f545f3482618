// Package hub is topics: what is published to one goes to all its subscribers,
// who are responses of server-sent events or lines of JSON, and is kept for a
// while for those that come back.
//
//	topics, err := hub.New(hub.Config{})
//	mux.HandleFunc("GET /events/{topic}", func(w *weir.Response, r *weir.Request) {
//		topics.Serve(w, r, r.PathValue("topic"), nil)
//	}).Inline()
//	…
//	topics.Publish("news", hub.Event{Data: []byte("hello")})
//
// # How it works
//
// The latest events of a topic are a ring in memory, its [Log]. A subscriber is
// a number in it: that of the event that it gets next. An event is encoded once
// for each format; to publish it costs one notification for each event loop, and
// the loops copy it into the output of their connections, some of them a turn
// (weir.Group). So one that is new, one that comes back and one that is slow are
// read for in the same way: one that does not take what it is sent stays where
// it is in the ring, and when the ring has moved on, it is cut, or skips what it
// has missed, and learns of it.
//
// # Ids
//
// Ids are opaque, and mean something only to the numbering that has made them:
// an id of another topic, of another process without a common [Broker], or of
// the future is never taken for "up to date". What a subscriber has missed it
// learns from the head of the response: see [Hub.Serve].
//
// # Memory
//
// A topic keeps at most Limits.History, and all together Limits.Memory. A topic
// takes about 600 bytes beyond that, and a subscriber under 100 beyond its
// connection. One that does not read has up to weir.Limits.HighMark of output
// waiting, until Timeouts.WriteStall.
package hub
