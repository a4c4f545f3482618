package conform

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// connectionCases are items 92 to 96, 100 and 101: several requests on a
// connection.
func connectionCases() []Case {
	closeAfter := func(lines ...string) Step { // one response, whatever follows
		return do(send(msg(append([]string{getLine, host}, lines...)...)+bait), answer(200, is(hello), closing), closed)
	}
	return []Case{
		c(92, "1000 pipelined GETs", "", pipelined(1000)),
		c(93, "pipelined POST, GET, chunked POST, GET", "", send(
			msg(postLine, host, "Content-Length: 5")+"first"+msg(getLine, host)+chunkedPost("6\r\nsecond\r\n"+lastChunk)+msg(getLine, host)),
			answer(200, is("first")), answer(200, is(hello)), answer(200, is("second")), answer(200, is(hello)), alive),
		c(93, "100 pipelined POSTs of one kilobyte", "", pipelinedPosts(100)),
		c(94, "bad request behind good ones", "", send(msg(getLine, host)+msg(getLine, host)+msg(getLine)+bait),
			answer(200, is(hello)), answer(200, is(hello)), refuse(400)),
		c(94, "bad request behind a stream", "L10", send(msg("GET /numbers?n=3 HTTP/1.1", host)+msg(getLine)+bait),
			answer(200, is("1\n2\n3\n")), refuse(400)),
		c(95, "Connection: close", "L11", closeAfter("Connection: close")),
		c(95, "Connection: close, nothing behind it", "L11", send(msg(getLine, host, "Connection: close")), answer(200, is(hello), closing), closed),
		c(95, "Connection: close on POST", "L11", send(msg(postLine, host, "Connection: close", "Content-Length: 5")+"hello"+bait),
			answer(200, is("hello"), closing), closed),
		c(95, "Connection: close behind others", "L11", send(msg(getLine, host)+msg(getLine, host, "Connection: close")+bait),
			answer(200, is(hello)), answer(200, is(hello), closing), closed),
		c(96, "close, keep-alive", "H19", closeAfter("Connection: close, keep-alive")),
		c(96, "keep-alive, close", "H19", closeAfter("Connection: keep-alive,close")),
		c(96, "Close in capitals", "H19", closeAfter("Connection: CLOSE")),
		c(96, "two lines, keep-alive last", "H19", closeAfter("Connection: close", "Connection: keep-alive")),
		c(96, "two lines, close last", "H19", closeAfter("Connection: keep-alive", "Connection: close")),
		c(96, "close between empty members", "H19", closeAfter("Connection: , close ,")),
		c(96, "closed is not close", "H19", serve(msg(getLine, host, "Connection: closed"), hello)),

		c(100, "upgrade to an unknown protocol", "H20", serve(msg(getLine, host, "Connection: Upgrade", "Upgrade: foo/2"), hello)),
		c(100, "upgrade with a body", "H20", serve(msg(postLine, host, "Connection: upgrade", "Upgrade: foo/2", "Content-Length: 5")+"hello", "hello")),
		c(101, "h2c upgrade", "H20", serve(msg(getLine, host, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"), hello)),
	}
}

// pipelined sends n requests in one segment as far as the kernel allows; each
// has a different response, so that their order shows.
func pipelined(n int) Step {
	length := func(i int) int { return 1 + i%9 }
	var raw strings.Builder
	for i := range n {
		raw.WriteString(msg(fmt.Sprintf("GET /numbers?n=%d HTTP/1.1", length(i)), host))
	}
	return do(send(raw.String()), func(p *peer) error {
		for i := range n {
			if err := answer(200, is("1\n2\n3\n4\n5\n6\n7\n8\n9\n"[:2*length(i)]))(p); err != nil {
				return fmt.Errorf("response %d of %d: %w", i+1, n, err)
			}
		}
		return nil
	}, alive)
}

func pipelinedPosts(n int) Step {
	body := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), 1000) }
	var raw strings.Builder
	for i := range n {
		raw.WriteString(msg(postLine, host, "Content-Length: 1000") + body(i))
	}
	return do(send(raw.String()), func(p *peer) error {
		for i := range n {
			if err := answer(200, is(body(i)))(p); err != nil {
				return fmt.Errorf("response %d of %d: %w", i+1, n, err)
			}
		}
		return nil
	}, alive)
}

// noBodyCases are items 97 and 98: responses without a body.
func noBodyCases() []Case {
	bare := func(status int) Step {
		target := fmt.Sprintf("GET /slow-head?delay=1ms&status=%d HTTP/1.1", status)
		return do(send(msg(target, host)+msg(getLine, host)), answer(status), answer(200, is(hello)), alive)
	}
	head := func(target string) Step { return do(sameHead(target), alive) }
	return []Case{
		c(97, "204 has no body", "", bare(204)),
		c(97, "304 has no body", "", bare(304)),
		c(97, "205 has no content", "", send(msg("GET /slow-head?delay=1ms&status=205 HTTP/1.1", host)+msg(getLine, host)),
			answer(205, is(""), has("Content-Length", "0")), answer(200, is(hello)), alive),
		c(97, "HEAD of a missing resource", "", send(msg("HEAD /nowhere HTTP/1.1", host)+msg(getLine, host)),
			answerTo("HEAD", in{404}), answer(200, is(hello)), alive),
		c(98, "HEAD has GET's length", "", head("/plaintext")),
		c(98, "HEAD has GET's length, JSON", "", head("/json")),
		c(98, "HEAD of a pump", "", head("/numbers?n=10")),
	}
}

// sameHead wants HEAD to have GET's status and fields, pipelined behind it.
func sameHead(target string) Step {
	return func(p *peer) error {
		raw := msg("GET "+target+" HTTP/1.1", host) + msg("HEAD "+target+" HTTP/1.1", host)
		if err := do(send(raw), answer(200))(p); err != nil {
			return err
		}
		get := p.last
		if err := answerTo("HEAD", in{200})(p); err != nil {
			return err
		}
		for _, f := range get.fields {
			if f.name == "Date" || f.name == "Transfer-Encoding" { // RFC 9110 9.3.2 allows omitting the latter
				continue
			}
			if err := has(f.name, f.value)(p.last); err != nil {
				return fmt.Errorf("HEAD: %w", err)
			}
		}
		return nil
	}
}

// expectCases are item 99: Expect.
func expectCases() []Case {
	const expect = "Expect: 100-continue"
	return []Case{
		c(99, "100 before a buffered body", "H18", send(msg(postLine, host, expect, "Content-Length: 5")), answer(100),
			send("hello"), answer(200, is("hello")), alive),
		c(99, "100 before a chunked body", "H18", send(msg(postLine, host, expect, chunkedField)), answer(100),
			send("5\r\nhello\r\n"+lastChunk), answer(200, is("hello")), alive),
		c(99, "100 before a body taken while it arrives", "H18", send(msg("PUT /upload HTTP/1.1", host, expect, "Content-Length: 5")), answer(100),
			send("hello"), answer(200, holds(`"bytes":5`)), alive),
		c(99, "expectation in other letters", "H18", send(msg(postLine, host, "expect: 100-Continue", "Content-Length: 5")), answer(100),
			send("hello"), answer(200, is("hello")), alive),
		c(99, "413 at once instead of 100", "L13", send(msg("PUT /upload?max=10 HTTP/1.1", host, expect, "Content-Length: 100")), answer(413), ifClosingClosed),
		c(99, "401 at once instead of 100", "L13", send(msg("PUT /upload?auth=1 HTTP/1.1", host, expect, "Content-Length: 100")), answer(401), ifClosingClosed),
		c(99, "no 100 for HTTP|1.0", "H18", send(msg("POST /echo HTTP/1.0", host, expect, "Content-Length: 5")+"hello"), answer(200, is("hello")), closed),
		c(99, "no 100 without a body", "H18", serve(msg(getLine, host, expect), hello)),
		c(99, "no 100 for an empty body", "H18", serve(msg(postLine, host, expect, "Content-Length: 0"), "")),
		c(99, "no 100 when the body is there", "H18", serve(msg(postLine, host, expect, "Content-Length: 5")+"hello", "hello")),
		c(99, "unknown expectation", "H18", send(msg(postLine, host, "Expect: 200-ok", "Content-Length: 5")+"hello"), answer(417), settled),
		c(99, "unknown expectation without a body", "H18", send(msg(getLine, host, "Expect: the-unexpected")), answer(417), settled),
	}
}

// ifClosingClosed is for responses before the body: either the connection ends,
// or the server still expects the body.
func ifClosingClosed(p *peer) error {
	if p.last.saysClose() {
		return closed(p)
	}
	return nil
}

// closingCases are items 102 to 106: how connections end, and what they hold.
func closingCases() []Case {
	unread := strings.Repeat("x", 48<<10) // below the 64 KiB that a closing server discards
	cases := []Case{
		c(102, "half-close after a request", "L6", send(msg(getLine, host)), shutdown, answer(200, is(hello)), closed),
		c(102, "half-close after a POST", "L6", send(msg(postLine, host, "Content-Length: 5")+"hello"), shutdown, answer(200, is("hello")), closed),
		c(102, "half-close after pipelined requests", "L6", send(strings.Repeat(msg(getLine, host), 3)), shutdown,
			answer(200, is(hello)), answer(200, is(hello)), answer(200, is(hello)), closed),
		c(103, "RST in the middle of bodies", "", resetsLeakNothing).byItself(),
		c(104, "4xx arrives though input was not read", "L13", send(msg(getLine)+unread), sent, refuse(400)),
		c(104, "413 arrives though the body was sent", "L13",
			send(msg("PUT /upload?max=10 HTTP/1.1", host, fmt.Sprintf("Content-Length: %d", len(unread)))+unread), sent, answer(413), settled),
		c(104, "401 arrives though the body was sent", "L13",
			send(msg("PUT /upload?auth=1 HTTP/1.1", host, fmt.Sprintf("Content-Length: %d", len(unread)))+unread), sent, answer(401), settled),
		c(106, "client that never reads is not read for ever", "L8", floodUnread),
	}
	return append(cases, dateCases()...)
}

// dateCases are item 105.
func dateCases() []Case {
	return []Case{
		c(105, "Date on 200", "", send(msg(getLine, host)), answer(200, dated)),
		c(105, "Date on a stream", "", send(msg("GET /numbers HTTP/1.1", host)), answer(200, dated)),
		c(105, "Date on 404", "", send(msg("GET /nowhere HTTP/1.1", host)), answer(404, dated)),
		c(105, "Date on 400", "", send(msg(getLine)), answer(400, dated)),
		c(105, "Date on 431", "", send(msg(getLine, host, "X: "+strings.Repeat("x", 20<<10))), answer(431, dated)),
		c(105, "Date on 413", "", send(msg("PUT /upload?max=1 HTTP/1.1", host, "Content-Length: 2")), answer(413, dated)),
		c(105, "Date on 501", "", send(msg(postLine, host, "Transfer-Encoding: cow")), answer(501, dated)),
		c(105, "Date on 500", "", send(msg("GET /fail?after=0 HTTP/1.1", host)), answer(500, dated)),
	}
}

// dated wants an IMF-fixdate that is right to the second (RFC 9110 5.6.7).
func dated(r *response) error {
	const imfFixdate = "Mon, 02 Jan 2006 15:04:05 GMT"
	got, _ := r.value("Date")
	at, err := time.Parse(imfFixdate, got)
	if err != nil || at.Format(imfFixdate) != got {
		return fmt.Errorf("got Date: %q, want an IMF-fixdate", got)
	}
	// A cached date is up to one second old, and so is one cut to the second.
	if age := time.Since(at); age < 0 || age > 3*time.Second {
		return fmt.Errorf("got Date: %q, off by %v", got, age)
	}
	return nil
}

// resetsLeakNothing aborts uploads half-way and wants their connections and
// goroutines to end.
func resetsLeakNothing(p *peer) error {
	const aborted = 50
	before, err := readStats(p)
	if err != nil {
		return err
	}
	half := "Content-Length: 1000"
	for i := range aborted {
		line := []string{postLine, "PUT /upload HTTP/1.1"}[i%2]
		if err := other(send(msg(line, host, half)+"half a body"), reset)(p); err != nil {
			return err
		}
	}
	return pollStats(p, fmt.Sprintf("connections back to %d, goroutines to about %d", before.Connections, before.Goroutines),
		func(now stats) bool {
			return now.Connections <= before.Connections && now.Goroutines < before.Goroutines+aborted/2
		})
}

// floodUnread pipelines requests and reads no response: the server must stop
// reading. Without a bound it would take everything; the bound for it and the
// kernel's buffers is generous here, the server's own tests check the exact
// one.
func floodUnread(p *peer) error {
	const piece, most = 64 << 10, 64 << 20
	request := msg(postLine, host, fmt.Sprintf("Content-Length: %d", piece)) + strings.Repeat("e", piece)
	if err := smallWindow(p); err != nil {
		return err
	}
	for taken, stalls := 0, 0; taken < most; {
		_ = p.conn.SetWriteDeadline(time.Now().Add(250 * time.Millisecond))
		n, err := io.WriteString(p.conn, request)
		taken += n
		if n > 0 {
			stalls = 0
			request = request[n:] + request[:n] // continue where the write stopped
			continue
		}
		// Twice in a row without room for one byte is not a hiccup of a loaded
		// machine: the server has stopped. Any other error means that it has
		// closed the connection, which is as good.
		if stalls++; stalls == 2 || !errors.Is(err, os.ErrDeadlineExceeded) {
			p.note("> stopped after %d bytes", taken)
			return other(send(msg(getLine, host)), answer(200, is(hello)))(p)
		}
	}
	return fmt.Errorf("the server took %d bytes of requests while no response was read, want it to stop", most)
}
