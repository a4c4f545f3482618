// Package http1 reads and writes the heads of HTTP/1.1 messages (RFC 9112): request and
// response lines, fields, and what they say about framing. It sees bytes and never sockets.
//
// # Reading
//
// A [Request] or [Response] is a zero-value parser and the parsed head in one. Parse is given
// all the bytes of a head that have arrived and answers one of three things:
//
//	n > 0       the head is complete and is the first n bytes; the rest is body or the next head
//	0, nil      a proper prefix of a head: call again with the same bytes and more
//	0, err      it can never become one: *ParseError says which status to answer
//
// The parser copies nothing. It keeps offsets into the head, two 32-bit pairs a field:
//
//	G E T ␠ / x ? y ␠ H T T P / 1 . 1 ␍⏎ H o s t : ␠ a ␍⏎ ␍⏎
//	method  └─┬─┘ └ query                └─┬───┘   └ value
//	        path                          name
//
// so the caller may move the bytes between two calls of Parse, and afterwards too, if it says
// so with Rebase. Lines that were taken in are not looked at again.
//
// Every verdict is a function of the shortest prefix that decides it. It follows that a head
// gives the same answer, down to the offset of the error, whether it comes at once, cut in two,
// or byte by byte, and that nothing behind its end can change it.
//
// # Strictness
//
// Where RFC 9110 and 9112 let a recipient be lenient, this package is not: lenient readings
// are how two parties on one connection come to disagree about where a message ends. A line
// ends in CRLF and nothing else, a field line is never folded, lengths are plain decimal
// numbers given once, and a head with both framings is refused.
//
// # Fields
//
// What follows from a field's name alone is one table, [ClassOf]. A field that is a list is all
// its lines together: the heads' HasToken and ClassOf look at each of them. [IsMediaType] is how
// a Content-Type is compared.
//
// # Writing
//
// The Append functions append to a slice and return it. They do not check their arguments:
// [CheckField] does, and a server or client calls it once for what its user has set.
package http1
