// Package natsbroker keeps the topics of a hub in NATS JetStream, so that several
// processes share them: what one publishes, the subscribers of all get, with the
// same ids, and a client that loses its server continues at another one with its
// Last-Event-ID.
//
//	conn, err := nats.Connect("nats://127.0.0.1:4222", nats.MaxReconnects(-1), nats.PingInterval(10*time.Second))
//	…
//	js, err := jetstream.New(conn)
//	…
//	broker, err := natsbroker.New(ctx, js, natsbroker.Config{})
//	…
//	topics, err := hub.New(hub.Config{Broker: broker})
//
// It is a module of its own, weir/hub/nats, so that programs without NATS do not
// have its client library among their dependencies.
//
// # Batches
//
// A message of JetStream costs more than an event is worth when events are tokens:
// about 70 microseconds of CPU from a process by the server to a subscriber in another
// process, half of it the server's. So a topic's events wait up to 20 ms for others,
// or until there are 4 KiB, and are one message together: half of that an event when
// one comes every 10 ms, 3 microseconds when they come as fast as they are taken
// (BenchmarkEvent). The batches of a topic are stored one after the other: an
// order in which a process published is the order in which all get it.
//
// # What fails, and who learns of it
//
//   - The server does not respond, or restarts: Publish takes events until
//     Config.Buffer is full, then returns hub.ErrBusy. What could not be stored
//     within Config.PublishTimeout is reported by Config.OnFailure, or by
//     PublishWait. A batch that is sent again is stored once: it has an id
//     (Nats-Msg-Id).
//   - Subscribers stay connected, and get what they missed when the connection is
//     back: each message names the one before it in its topic, and what is missing
//     is fetched.
//   - What was removed, by the stream's limits or by people, before a follower or a
//     client came back, is a gap: hub says where replay begins. When it cannot be
//     known whether something is missing, it is a gap, too.
//   - The stream is deleted: it is created again, and ids of the former one are
//     unknown. So they are when the server comes back without messages that it had
//     sent (after a power failure, or from a backup).
//   - The stream is full and discards what is new: as when the server does not
//     respond, and the error has the server's reason.
//
// # What it needs
//
// A server of version 2.11 or later, and a connection with nats.MaxReconnects(-1):
// one that gives up ends the broker. With nats.PingInterval(10*time.Second) it
// notices within half a minute that the network has failed silently, and by default
// within six. Its user needs permissions
//
//   - to publish on PREFIX.topic.*, $JS.API.STREAM.INFO.STREAM and
//     $JS.API.DIRECT.GET.STREAM; to create the stream, and to make ids of before
//     unknown to all processes, also on $JS.API.STREAM.CREATE.STREAM and
//     $JS.API.STREAM.UPDATE.STREAM
//   - to subscribe to PREFIX.live.* and _INBOX.>; to notice soon that the stream was
//     deleted, also to $JS.EVENT.ADVISORY.STREAM.*.STREAM
//
// A stream that exists must republish from PREFIX.topic.* to PREFIX.live.* and allow
// direct access; New says what is missing. Messages that others publish on
// PREFIX.topic.TOPIC are events, too: one each. Let nobody publish on PREFIX.live.*
// but the server.
package natsbroker
