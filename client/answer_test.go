package client_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"weir/client"
	"weir/http1"
	"weir/reactor"
)

// ending is what an upstream does behind its answer.
type ending uint8

const (
	stays ending = iota
	closes
	resets
)

// answerCase is an answer on the wire, and what is made of it.
type answerCase struct {
	name   string
	method string // GET
	sent   string
	ending ending
	want   string // status and body
	end    string // text of the error
	kept   bool   // the connection is used again
}

const (
	ok        = "HTTP/1.1 200 OK\r\n"
	inChunks  = ok + "Transfer-Encoding: chunked\r\n\r\n"
	truncated = "client: connection closed inside the response"
)

// smallLimits are those of answerCases.
var smallLimits = client.Config{BodySize: 20, Limits: http1.Limits{Line: 40, Header: 120, Field: 60, Fields: 3}}

// RFC 9112 6.3, in its order, and what can go wrong.
var answerCases = []answerCase{
	{name: "length", sent: answer, want: "200 hello", kept: true},
	{name: "length 0", sent: ok + "Content-Length: 0\r\n\r\n", want: "200 ", kept: true},
	{name: "no reason", sent: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", want: "200 ", kept: true},
	{name: "an error", sent: "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", want: "503 busy", kept: true},
	{name: "length over the limit of other bodies", sent: ok + "Content-Length: 25\r\n\r\n" + strings.Repeat("x", 25),
		want: "200 " + strings.Repeat("x", 25), kept: true},
	{name: "chunks", sent: inChunks + "2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n", want: "200 hello", kept: true},
	{name: "chunks, trailers", sent: inChunks + "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", want: "200 hello", kept: true},
	{name: "no chunks", sent: inChunks + "0\r\n\r\n", want: "200 ", kept: true},
	{name: "until close", sent: ok + "\r\nhello", ending: closes, want: "200 hello"},
	{name: "until close, nothing", sent: ok + "\r\n", ending: closes, want: "200 "},
	{name: "until close, 1.0", sent: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhello", ending: closes, want: "200 hello"},
	{name: "until close, at the limit", sent: ok + "\r\n01234567890123456789", ending: closes, want: "200 01234567890123456789"},
	{name: "length, closes", sent: answer, ending: closes, want: "200 hello"},
	{name: "chunks, resets", sent: inChunks + "5\r\nhello\r\n0\r\n\r\n", ending: resets, want: "200 hello"},

	{name: "HEAD, length", method: "HEAD", sent: ok + "Content-Length: 5\r\n\r\n", want: "200 ", kept: true},
	{name: "HEAD, chunks", method: "HEAD", sent: inChunks, want: "200 ", kept: true},
	{name: "HEAD, neither", method: "HEAD", sent: ok + "\r\n", want: "200 ", kept: true},
	{name: "HEAD, a body", method: "HEAD", sent: answer, want: "200 "},
	{name: "204", sent: "HTTP/1.1 204 None\r\n\r\n", want: "204 ", kept: true},
	{name: "204, length", sent: "HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\n", want: "204 "},
	{name: "204, length 0", sent: "HTTP/1.1 204 None\r\nContent-Length: 0\r\n\r\n", want: "204 ", kept: true},
	{name: "304, length", sent: "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n", want: "304 ", kept: true},
	{name: "CONNECT", method: "CONNECT", sent: ok + "\r\n", want: "200 "},

	{name: "Connection: close", sent: ok + "Connection: close\r\nContent-Length: 5\r\n\r\nhello", want: "200 hello"},
	{name: "1.0", sent: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", want: "200 hello"},
	{name: "1.0, keep-alive", sent: "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello", want: "200 hello", kept: true},

	{name: "100", sent: "HTTP/1.1 100 Continue\r\n\r\n" + answer, want: "200 hello", kept: true},
	{name: "103 with fields", sent: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer, want: "200 hello", kept: true},
	{name: "102, 103, 103, 100", sent: "HTTP/1.1 102 \r\n\r\nHTTP/1.1 103 \r\n\r\nHTTP/1.1 103 \r\n\r\nHTTP/1.1 100 \r\n\r\n" + answer,
		want: "200 hello", kept: true},
	{name: "100 with a length", sent: "HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\n" + answer, want: "200 hello", kept: true},
	{name: "101", sent: "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nabc", end: client.ErrSwitched.Error()},

	{name: "more behind a length", sent: answer + "H", want: "200 hello"},
	{name: "more behind length 0", sent: ok + "Content-Length: 0\r\n\r\n\r\n", want: "200 "},
	{name: "more behind chunks", sent: inChunks + "0\r\n\r\n0\r\n\r\n", want: "200 "},
	{name: "another answer", sent: answer + answer, want: "200 hello"},

	{name: "nothing", ending: closes, end: "client: connection closed before the response"},
	{name: "reset", ending: resets, end: "client: connection closed before the response: read: connection reset by peer"},
	{name: "head cut", sent: ok + "Content-", ending: closes, end: truncated},
	{name: "only an interim answer", sent: "HTTP/1.1 100 Continue\r\n\r\n", ending: closes, end: truncated},
	{name: "length cut", sent: ok + "Content-Length: 5\r\n\r\nhell", ending: closes, want: "200 hell", end: truncated},
	{name: "length cut at once", sent: ok + "Content-Length: 5\r\n\r\n", ending: closes, want: "200 ", end: truncated},
	{name: "length cut by a reset", sent: ok + "Content-Length: 5\r\n\r\nhell", ending: resets, want: "200 hell",
		end: truncated + ": read: connection reset by peer"},
	{name: "chunks cut at once", sent: inChunks, ending: closes, want: "200 ", end: truncated},
	{name: "chunks cut in a size", sent: inChunks + "5\r", ending: closes, want: "200 ", end: truncated},
	{name: "chunks cut in data", sent: inChunks + "5\r\nhel", ending: closes, want: "200 hel", end: truncated},
	{name: "chunks cut behind data", sent: inChunks + "5\r\nhello\r\n", ending: closes, want: "200 hello", end: truncated},
	{name: "chunks cut in the trailer", sent: inChunks + "5\r\nhello\r\n0\r\nX-Sum: 1\r\n", ending: closes, want: "200 hello", end: truncated},
	{name: "chunks without the last byte", sent: inChunks + "5\r\nhello\r\n0\r\n\r", ending: closes, want: "200 hello", end: truncated},
	{name: "until close, reset", sent: ok + "\r\nhello", ending: resets, want: "200 hello", end: truncated + ": read: connection reset by peer"},

	{name: "garbage", sent: "SSH-2.0-OpenSSH_9.6\r\n", end: "http1: malformed version at byte 0"},
	{name: "another version", sent: "HTTP/2.0 200 OK\r\n\r\n", end: "http1: major version not supported at byte 5"},
	{name: "status 99", sent: "HTTP/1.1 099 X\r\n\r\n", end: "http1: malformed status code at byte 9"},
	{name: "an empty line first", sent: "\r\n" + answer, end: "http1: malformed version at byte 0"},
	{name: "long status line", sent: "HTTP/1.1 200 " + strings.Repeat("o", 40), end: "http1: start line too long at byte 40"},
	{name: "long field", sent: ok + "X: " + strings.Repeat("x", 60), end: "http1: field line too long at byte 77"},
	{name: "large header", sent: ok + strings.Repeat("X: "+strings.Repeat("x", 45)+"\r\n", 3), end: "http1: header block too large at byte 135"},
	{name: "many fields", sent: ok + "A: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\n\r\n", end: "http1: too many fields at byte 35"},
	{name: "both framings", sent: ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		end: "http1: both Content-Length and Transfer-Encoding at byte 55"},
	{name: "two lengths", sent: ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", end: "http1: Content-Length given twice at byte 52"},
	{name: "a length of letters", sent: ok + "Content-Length: five\r\n\r\n", end: "http1: malformed Content-Length at byte 33"},
	{name: "another coding", sent: ok + "Transfer-Encoding: gzip\r\n\r\n", end: "http1: transfer coding not supported at byte 44"},
	{name: "garbage behind an interim answer", sent: "HTTP/1.1 100 \r\n\r\nhello", end: "http1: malformed version at byte 0"},

	{name: "chunk size of letters", sent: inChunks + "xyz\r\n", want: "200 ", end: "chunked: chunk size is not a hexadecimal number at byte 0"},
	{name: "chunk too long", sent: inChunks + "5\r\nhelloX", want: "200 hello", end: "chunked: chunk data is not followed by CRLF at byte 8"},
	{name: "chunk of 2⁶³", sent: inChunks + "8000000000000000\r\n", want: "200 ", end: "chunked: chunk size is over 63 bits at byte 15"},
	{name: "chunks over the limit", sent: inChunks + "a\r\n0123456789\r\nb\r\n0123456789", want: "200 0123456789",
		end: "client: response body over the limit: chunked: body over the limit at byte 17"},
	{name: "until close over the limit", sent: ok + "\r\n012345678901234567890", want: "200 01234567890123456789",
		end: "client: response body over the limit"},
}

// outcome is what is made of an answer, and all that may depend on it.
type outcome struct {
	answer string
	end    string
	kept   int
}

// play makes a request on a fresh connection, answers it in these pieces and
// returns what came of it. A call that has no end then is cancelled. With
// pausing, the Receiver pauses in each of its methods.
func (d *desk) play(method string, pieces []string, e ending, pausing bool) (o outcome) {
	p := d.probe()
	if pausing {
		p.onHead = func() {
			p.call.Pause()
			d.loop().Post(reactor.TaskFunc(p.call.Resume))
		}
		p.onBody = func([]byte) { p.onHead() }
	}
	d.do(func() { p.ask(client.RawRequest{Method: method, Head: []byte(getHead)}) })
	s := d.server()
	defer s.Close()
	d.hears(s)
	for _, piece := range pieces {
		_, _ = s.Write([]byte(piece)) // fails when the answer is refused already
		synctest.Wait()
	}
	switch e {
	case closes:
		_ = s.CloseWrite() // likewise
	case resets:
		s.Reset()
	}
	synctest.Wait()
	d.do(func() {
		o.kept = d.pool.IdleConns()
		p.call.Cancel()
	})
	o.answer = p.answer()
	if err := p.done[0]; err != nil {
		o.end = err.Error()
	}
	return o
}

func (a *answerCase) play(d *desk, pausing bool, pieces ...string) {
	d.Helper()
	method := a.method
	if method == "" {
		method = "GET"
	}
	want := outcome{a.want, a.end, 0}
	if a.kept {
		want.kept = 1
	}
	if got := d.play(method, pieces, a.ending, pausing); got != want {
		d.Fatalf("in %q, pausing %v: got %+v, want %+v", pieces, pausing, got, want)
	}
}

// Each answer at once, cut at every byte, and byte by byte.
func TestAnswers(t *testing.T) {
	for _, a := range answerCases {
		t.Run(a.name, func(t *testing.T) {
			atDesk(t, smallLimits, func(d *desk) {
				for _, pausing := range []bool{false, true} {
					a.play(d, pausing, a.sent)
					for i := 1; i < len(a.sent); i += cutStep {
						a.play(d, pausing, a.sent[:i], a.sent[i:])
					}
					a.play(d, pausing, strings.Split(a.sent, "")...)
				}
			})
		})
	}
}

// A call takes so many interim answers, and no more.
func TestInterimLimit(t *testing.T) {
	for extra, end := range map[int]error{0: nil, 1: client.ErrInterim} {
		atDesk(t, client.Config{}, func(d *desk) {
			s := d.exchange()
			for range 2 { // each call has its own count
				p := d.ask(get)
				d.says(s, "HTTP/1.1 100 \r\n\r\n")
				d.serve(s, p)
			}
			p := d.ask(get)
			d.says(s, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", client.MaxInterim+extra))
			if end != nil {
				p.ended("", end)
				return
			}
			d.says(s, answer)
			p.ended("200 hello", nil)
		})
	}
}

// With the defaults a head may be long, and a body in chunks as long as it likes.
func TestDefaultLimits(t *testing.T) {
	const size = 1 << 20
	atDesk(t, client.Config{}, func(d *desk) {
		p := d.ask(get)
		s := d.server()
		d.says(s, ok+"X: "+strings.Repeat("x", 16<<10-3)+"\r\nTransfer-Encoding: chunked\r\n\r\n")
		p.shown("200 ")
		for range size / (32 << 10) {
			d.says(s, "8000\r\n"+strings.Repeat("x", 32<<10)+"\r\n")
		}
		d.says(s, "0\r\n\r\n")
		p.ended("200 "+strings.Repeat("x", size), nil)
	})
	atDesk(t, client.Config{}, func(d *desk) {
		p := d.ask(get)
		d.says(d.server(), ok+"X: "+strings.Repeat("x", 16<<10-2))
		if len(p.done) != 1 || p.done[0] == nil {
			t.Errorf("got Done %v, want a refusal", p.done)
		}
	})
}
