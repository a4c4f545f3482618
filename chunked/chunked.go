// Package chunked is the chunked transfer coding of HTTP/1.1 (RFC 9112 section
// 7.1), an encoder and a decoder over bytes. It does no I/O, starts no
// goroutine and does not allocate for data.
//
// A body on the wire, and what writes or reads each part of it:
//
//	5;ext=v CRLF        size line: AppendSize, AppendChunk; extensions are checked and skipped by the Decoder
//	hello CRLF          data: AppendChunk; handed out by Decoder.Next as views into its input
//	0 CRLF              last chunk: AppendEnd, AppendTrailers
//	X-Sum: 1 CRLF       trailer section, possibly empty: AppendTrailers, Decoder.Trailer
//	CRLF                the end: Decoder.Done
//
// Chunk boundaries are not message boundaries: the [Decoder] does not report
// where one chunk ended and the next began, and nothing should depend on it.
package chunked

import "strconv"

// Error reports a body that violates the coding or exceeds one of the Decoder's
// limits. The connection that carried it cannot be reused: where the next
// message begins is unknown.
type Error struct {
	Status int    // the response status for a request with this body: 400, 413 or 431
	Offset int64  // of the offending byte, counted from the first byte of the coded body
	Reason string // constant text, safe to log
}

// Error returns the reason and the offset.
func (e *Error) Error() string {
	return "chunked: " + e.Reason + " at byte " + strconv.FormatInt(e.Offset, 10)
}

// fault is what is wrong with a body; the zero value means that nothing is.
type fault uint8

const (
	fine fault = iota
	badSize
	longSize
	bigSize
	danglingBlank
	badExtension
	bareCR
	bareLF
	longLine
	overhead
	bigBody
	badDataEnd
	badTrailer
	longTrailer
	manyTrailers
)

// faults holds what a fault is reported as.
var faults = [...]struct {
	status int
	reason string
}{
	badSize:       {400, "chunk size is not a hexadecimal number"},
	longSize:      {400, "chunk size has more than 16 digits"},
	bigSize:       {400, "chunk size is over 63 bits"},
	danglingBlank: {400, "blank on the size line is not followed by an extension"},
	badExtension:  {400, "malformed chunk extension"},
	bareCR:        {400, "CR without LF"},
	bareLF:        {400, "LF without CR"},
	longLine:      {400, "chunk size line over the limit"},
	overhead:      {400, "too much framing for too little data"},
	bigBody:       {413, "body over the limit"},
	badDataEnd:    {400, "chunk data is not followed by CRLF"},
	badTrailer:    {400, "malformed trailer field"},
	longTrailer:   {431, "trailer section over the limit"},
	manyTrailers:  {431, "too many trailer fields"},
}
