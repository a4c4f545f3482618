package conform

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestWrongServers gives the suite servers that are wrong in one thing each, and wants
// the case that is about it to fail, for that reason.
func TestWrongServers(t *testing.T) {
	const (
		head     = "HTTP/1.1 200 OK\r\n"
		coded    = head + "Transfer-Encoding: chunked\r\n\r\n"
		refuse   = "HTTP/1.1 400 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
		noClose  = "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"
		badDate  = head + "Date: Thursday, 01-Jan-70 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n"
		oldDate  = head + "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n"
		withBody = "HTTP/1.1 204 No Content\r\n\r\nlate\n"
		withCL   = "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
	)
	once := func(text string) func(*net.TCPConn) { // one answer, then FIN
		return onHeads(func(conn *net.TCPConn, _ int) bool {
			io.WriteString(conn, text)
			linger(conn)
			return false
		})
	}
	for _, wrong := range []struct {
		name, id string
		serve    func(*net.TCPConn)
		want     string // in the error
	}{
		{"accepts bare LF", "X04_bare_LF_ends_the_line", always(okAnswer), "got 200, want [400]"},
		{"refuses and goes on", "X04_bare_LF_ends_the_line", always(noClose), "no Connection: close"},
		{"refuses, announces the close, stays", "X08_space_after_the_version", always(refuse), "want FIN"},
		{"refuses, and answers the bait", "X08_space_after_the_version", once(refuse + okAnswer), "want FIN after the response"},
		{"resets after the refusal", "X104_4xx_arrives_though_input_was_not_read", resetter(refuse), "connection reset"},
		{"closes without a word", "X09_no_version", slammer, "EOF, want a response [400]"},
		{"never answers", "X01_plain_GET", mute, "no reaction in time"},
		{"answers too early", "X02_GET_under_every_split", eager, "want silence"},
		{"answers in pieces what it refuses whole", "X02_refused_request_under_every_split", segments, "got bytes"},
		{"closes a connection to keep", "X01_plain_GET", once(okAnswer), "next request: status line: EOF"},
		{"announces a close that is not wanted", "X01_plain_GET", always("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 13\r\n\r\n" + hello), "want the connection kept"},
		{"says one byte too many", "X01_plain_GET", always(okAnswer + "!"), `got status line "!HTTP/1.1 200 OK"`},
		{"says one byte too few", "X01_plain_GET", once(head + "Content-Length: 14\r\n\r\n" + hello), "13 of 14 bytes: truncated"},
		{"answers twice", "X01_plain_GET", twice, "stray bytes after the last response"},
		{"sends another body", "X01_plain_GET", always(head + "Content-Length: 5\r\n\r\nhello"), `want "Hello, World!"`},
		{"mixes up the order", "X92_1000_pipelined_GETs", always(coded + "2\r\n1\n\r\n0\r\n\r\n"), "response 2 of 1000"},
		{"frames a 204", "X97_204_has_no_body", always(withCL), "framing fields in a 204"},
		{"gives a 204 a body", "X97_204_has_no_body", always(withBody), `got line "late\n"`},
		{"gives HEAD a body", "X98_HEAD_has_GET's_length", always(okAnswer), "stray bytes|got status line"},
		{"asks for a body nobody has", "X99_no_100_without_a_body", always("HTTP/1.1 100 Continue\r\n\r\n" + okAnswer), "got 100, want [200]"},
		{"dates in the old form", "X105_Date_on_200", always(badDate), "want an IMF-fixdate"},
		{"dates by a stopped clock", "X105_Date_on_200", always(oldDate), "off by"},
		{"never stops reading", "X106_client_that_never_reads_is_not_read_for_ever", glutton, "while no response was read"},
		{"counts time anew with each byte", "X107_head_that_drips", mute, "got no reaction for"},
		{"refuses a slow head too early", "X107_head_that_drips", refuser(408), "want it after about"},
		{"speaks on an idle connection", "X108_no_byte_after_accept", idleSpeaker, "want FIN"},
		{"forgets the last chunk", "X131_one_last_chunk,_numbers", once(coded + "2\r\n1\n\r\n"), "truncated"},
		{"ends a stream twice", "X126_head_that_is_committed_late", always("HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n0\r\n\r\n"), `got status line "0"`},
		{"finishes a stream that failed", "X115_error_in_a_stream_truncates_it", once(coded + "2\r\n1\n\r\n0\r\n\r\n"), "want a truncated stream"},
		{"holds events back", "X126_first_event_leaves_before_the_second",
			always(coded + "1e\r\nid: 1\ndata: a\n\nid: 2\ndata: b\n\n\r\n0\r\n\r\n"), "2 events, 1 of them"},
		{"chunks to HTTP/1.0", "X128_pump_to_HTTP|1.0", once(head + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n1\n2\n3\n\r\n0\r\n\r\n"),
			`Transfer-Encoding: "chunked", want none`},
		{"redirects to another host", "X120_path_that_a_redirect_could_copy",
			always("HTTP/1.1 301 Moved\r\nLocation: //evil.example/plaintext\r\nContent-Length: 0\r\n\r\n"), "want a path of this host"},
		{"counts cancellations twice", "X130_close_of_a_running_stream", twoCancelled(), "got 2 streams cancelled, want 1"},
		{"smuggles", "X78_Transfer-Encoding_beside_Content-Length", always(okAnswer), "mutations"},
	} {
		t.Run(strings.ReplaceAll(wrong.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			target := scripted(t, wrong.serve).withDefaults()
			target.Patience = 300 * time.Millisecond
			target.HeadTimeout, target.IdleTimeout = 100*time.Millisecond, 100*time.Millisecond
			err := play(&target, caseNamed(t, wrong.id))
			if err == nil || !containsAny(err.Error(), strings.Split(wrong.want, "|")) {
				t.Errorf("%s: got error %v, want one with %q", wrong.id, err, wrong.want)
			}
		})
	}
}

func caseNamed(t *testing.T, id string) Case {
	t.Helper()
	for _, k := range suite() {
		if k.ID() == id {
			return k
		}
	}
	t.Fatalf("no case %s", id)
	return Case{}
}

func containsAny(s string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// mute reads for ever.
func mute(conn *net.TCPConn) { io.Copy(io.Discard, conn) }

// eager answers the first byte and then reads for ever.
func eager(conn *net.TCPConn) {
	conn.Read(make([]byte, 1))
	io.WriteString(conn, okAnswer)
	mute(conn)
}

// twice answers each head once, but the second one twice: nothing is asked after that
// which would stumble over it.
var twice = onHeads(func(conn *net.TCPConn, i int) bool {
	_, err := io.WriteString(conn, strings.Repeat(okAnswer, i+1))
	return err == nil
})

// segments names in its answer how many bytes it saw at first.
func segments(conn *net.TCPConn) {
	n, _ := conn.Read(make([]byte, 4<<10))
	fmt.Fprintf(conn, "HTTP/1.1 400 No\r\nConnection: close\r\nContent-Length: 0\r\nX-Saw: %d\r\n\r\n", n)
	linger(conn)
}

// resetter answers, reads no more and resets.
func resetter(answer string) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		conn.Read(make([]byte, 1))
		io.WriteString(conn, answer[:len(answer)-4])
		conn.SetLinger(0)
	}
}

// glutton takes all requests into memory and answers the first one only.
func glutton(conn *net.TCPConn) {
	io.WriteString(conn, okAnswer)
	mute(conn)
}

// idleSpeaker says 408 on a connection on which nothing was asked.
func idleSpeaker(conn *net.TCPConn) {
	conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	conn.Read(make([]byte, 1))
	io.WriteString(conn, refusal(408))
	linger(conn)
}

// twoCancelled has statistics of a server that tells each cancellation twice: nothing
// active and nothing cancelled, then one active stream, then two cancelled.
func twoCancelled() func(*net.TCPConn) {
	return onHeads(func(conn *net.TCPConn, i int) bool {
		active, cancelled := 0, 0
		switch {
		case i >= 2 && i <= 12:
			active = 1
		case i > 12:
			cancelled = 2
		}
		body := fmt.Sprintf(`{"streams_active":%d,"streams_cancelled":%d}`, active, cancelled)
		_, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		return err == nil
	})
}
