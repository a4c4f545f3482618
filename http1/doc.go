// Package http1 reads and writes the heads of HTTP/1.1 messages (RFC 9112):
// request and response lines, fields, and what they mean for framing. It sees
// bytes and never sockets.
//
// # Reading
//
// A [Request] or [Response] is a parser, ready as its zero value, and the
// parsed head in one. Parse is called with all the bytes of a head that have
// arrived and returns one of three results:
//
//	n > 0       the head is complete and is the first n bytes; the rest is body or the next head
//	0, nil      a proper prefix of a head: call again with the same bytes and more
//	0, err      it can never become one: *ParseError has the status to respond with
//
// The parser copies nothing. It keeps offsets into the head, two 32-bit pairs a
// field:
//
//	G E T ␠ / x ? y ␠ H T T P / 1 . 1 ␍⏎ H o s t : ␠ a ␍⏎ ␍⏎
//	method  └─┬─┘ └ query                └─┬───┘   └ value
//	        path                          name
//
// so the caller may move the bytes between two calls of Parse, and also
// afterwards if it calls Rebase. Lines that were consumed are not looked at
// again.
//
// Every verdict is a function of the shortest prefix that decides it. It
// follows that a head gives the same result, down to the offset of the error,
// whether it comes at once, cut in two, or byte by byte, and that nothing
// behind its end can change it.
//
// # Strictness
//
// Where RFC 9110 and 9112 let a recipient be lenient, this package is not:
// lenient readings are how two parties on one connection come to disagree about
// where a message ends. A line ends in CRLF and nothing else, a field line is
// never folded, lengths are plain decimal numbers given once, and a head with
// both framings is refused.
//
// # Fields
//
// What follows from a field's name alone is one table, [ClassOf]. The value of
// a list field is all its lines together: HasToken and ClassOf of a head look
// at each of them. [IsMediaType] compares a Content-Type.
//
// # Writing
//
// The Append functions append to a slice and return it. They do not check their
// arguments: [CheckField] does, and a server or client calls it once for what
// its user has set.
package http1
