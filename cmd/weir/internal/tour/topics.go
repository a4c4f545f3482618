package tour

import (
	"fmt"

	"weir"
	"weir/hub"
)

// topics are the tour's: what is published to one comes to all that subscribe
// to it, and is kept for a while for those that come back.
func newTopics() *hub.Hub {
	topics, err := hub.New(hub.Config{})
	if err != nil {
		panic(fmt.Sprintf("tour: the defaults of a hub: %v", err))
	}
	return topics
}

// subscribe runs on the event loop: it finds out where the client's events
// begin, and the loop sends them from there.
func subscribe(topics *hub.Hub) func(w *weir.Response, r *weir.Request) {
	return func(w *weir.Response, r *weir.Request) {
		q := queryOf(r)
		topic, o := topicOf(q), new(hub.Options)
		switch as := q.get("as"); as {
		case "", "ndjson":
			o.Format = hub.NDJSON
		case "sse":
		default:
			q.fail("as", as, "sse or ndjson")
		}
		if q.refused(w) {
			return
		}
		topics.Serve(w, r, topic, o)
	}
}

// publish makes the body an event.
func publish(topics *hub.Hub) func(w *weir.Response, r *weir.Request) {
	return func(w *weir.Response, r *weir.Request) {
		delivered, err := topics.Publish(topicOf(queryOf(r)), hub.Event{Data: r.Body()})
		if err != nil {
			w.Error(hub.Status(err), err.Error())
			return
		}
		w.JSON(200, struct {
			Delivered int `json:"delivered"`
		}{delivered})
	}
}

func topicOf(q *query) string {
	if topic := q.get("topic"); topic != "" {
		return topic
	}
	return "t"
}
