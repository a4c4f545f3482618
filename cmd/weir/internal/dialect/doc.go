// Package dialect is what the gateway knows of the APIs that models are served
// by, as bytes: where a request names its model, what in a response is the
// model's and what is not, how a response ends, and how errors are written. A
// package below it has one dialect each; package known has all of them.
//
// It does no I/O, has no clock and imports nothing of weir but http1.
//
//	Peek      a request's body, as it arrives: model, stream, user
//	Reader    a response's body, as it passes: a Verdict for each event, and
//	          how it ended; what the gateway itself has to say in it
//	Fault     an error of the gateway's, in no dialect; Dialect.AppendError
//	          writes it for the client
//
// Nothing here changes or holds back what passes: a Reader keeps of an event
// only what its verdict needs, whatever the event's size, and allocates nothing
// for it.
package dialect
