package conform

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// smuggleCases are item 78: requests whose framing two servers could read in
// two ways, as the tool "smuggler" makes them. A gadget is a header line, or
// what may pass for one, that is placed beside a proper framing field of the
// other kind:
//
//	Content-Length: 81                    Transfer-Encoding: chunked
//	<gadget of Transfer-Encoding>         <gadget of Content-Length>
//
//	0 CRLF CRLF, and a whole request      chunks, whose text is the stated length
//
// If the gadget is another header's text only the proper field counts: one
// response, which shows the body. Everything else is refused, and nothing after
// it gets a response.
func smuggleCases() []Case {
	return []Case{
		c(78, "Transfer-Encoding beside Content-Length", "H10 H12", mutate(codingGadgets(), smuggleByCoding)),
		c(78, "Content-Length beside Transfer-Encoding", "H10 H11", mutate(lengthGadgets(), smuggleByLength)),
	}
}

// lastRequest follows the stimulus, so that a served connection ends by itself.
var lastRequest = msg(getLine, host, "Connection: close")

// smuggleByCoding returns the stimulus and the body that /echo must show: all
// of it, because Content-Length is the proper field.
func smuggleByCoding(gadget string) (raw, body string) {
	body = lastChunk + smuggled
	return msg(postLine, host, fmt.Sprintf("Content-Length: %d", len(body)), gadget) + body, body
}

// smuggleByLength is the opposite: the chunks decode to "abc".
func smuggleByLength(gadget string) (raw, body string) {
	return msg(postLine, host, gadget, chunkedField) + "3\r\nabc\r\n" + lastChunk, "abc"
}

// sweep replaces % in each form with each of the 256 octets.
func sweep(forms ...string) []string {
	var all []string
	for _, form := range forms {
		for b := range 256 {
			all = append(all, strings.ReplaceAll(form, "%", string([]byte{byte(b)})))
		}
	}
	return all
}

func codingGadgets() []string {
	return append([]string{
		"Transfer-Encoding: chunked", " Transfer-Encoding: chunked", "Transfer-Encoding:\tchunked", "Transfer-Encoding\t:\tchunked",
		"Transfer Encoding: chunked", "Transfer_Encoding: chunked", "Transfer Encoding:chunked", "Transfer-Encoding : chunked", "TransferEncoding: chunked",
		"Transfer-Encoding:  chunked", "Transfer-Encoding:\vchunked", "Transfer-Encoding: chunked, cow", "Transfer-Encoding: cow, chunked",
		"Content-Encoding: chunked", "Transfer-Encoding:\n chunked", "Transfer-Encoding:\r\n chunked", "Transfer-Encoding:\r\n\tchunked",
		`Transfer-Encoding: "chunked"`, "Transfer-Encoding: 'chunked'", "Transfer-Encoding: chunk", "TrAnSFer-EnCODinG: cHuNkeD",
		"TRANSFER-ENCODING: CHUNKED", "Transfer-Encoding: chunked\r", "Transfer-Encoding: chunked\t", "Transfer-Encoding: chunked;q=1",
		"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
		"Transfer\r-Encoding: chunked", "Transfer-\nEncoding: chunked", "Transfer-Encoding: cow chunked bar", "Transfer-Encoding:\xffchunked",
		"Transfer-Encoding: ch\x96nked", "Transf\x82r-Encoding: chunked", "X:X\rTransfer-Encoding: chunked", "X:X\nTransfer-Encoding: chunked",
		"X: X\r\n\rTransfer-Encoding: chunked", "X: X\r\n Transfer-Encoding: chunked", "Transfer-Encoding: identity", "Transfer-Encoding:",
		"Transfer-Encoding: ,chunked", "Transfer-Encoding: chunked,", "Transfer-Encoding: identity, chunked", "Transfer-Encoding: chunked, identity",
		"Transfer-Encoding: \x00chunked", "Transfer-Encoding\x00: chunked", "Transfer-Encoding\r\n: chunked", ":Transfer-Encoding: chunked",
		"Transfer-Encoding:chunked", "Transfer-Encoding: c\u212Aunked", "Transfer-Encoding: chun\u212Aed", "TE: chunked", "Connection: Transfer-Encoding",
	}, sweep(
		"%Transfer-Encoding: chunked",
		"Transfer-Encoding%: chunked",
		"Transfer-Encoding:%chunked",
		"Transfer-Encoding: chunked%",
		"X: X%Transfer-Encoding: chunked",
		"Transfer-Encoding: chunked%X: X",
		"X: X\r%Transfer-Encoding: chunked",
	)...)
}

func lengthGadgets() []string {
	return append([]string{
		"Content-Length: 13", " Content-Length: 13", "Content-Length : 13", "Content Length: 13", "Content_Length: 13", "ContentLength: 13",
		"Content-Length:\v13", "Content-Length: 13, 13", "Content-Length: 13\r\nContent-Length: 13", "Content-Length: 0\r\nContent-Length: 13",
		"Content-Length:\r\n 13", "Content-Length: +13", "Content-Length: -1", "Content-Length: 0xd", "Content-Length: 1_3", "Content-Length: 013",
		"Content-Length:", "X:X\rContent-Length: 13", "X:X\nContent-Length: 13", "Content-Length: 13;a=b", `Content-Length: "13"`, "Content-\rLength: 13",
		"CONTENT-LENGTH: 13", "Content-Length: 18446744073709551629", "Content-Length\x00: 13", "Conten\u0442-Length: 13", "X-Content-Length: 13",
	}, sweep(
		"%Content-Length: 13",
		"Content-Length%: 13",
		"Content-Length:%13",
		"Content-Length: 13%",
	)...)
}

// plainField is the oracle: whether the gadget is one well-formed line of a
// field that does not frame.
func plainField(gadget string) bool {
	name, value, ok := strings.Cut(gadget, ":")
	return ok && isToken(name) && !hasCTL(value) &&
		!strings.EqualFold(name, "Transfer-Encoding") && !strings.EqualFold(name, "Content-Length") && !strings.EqualFold(name, "Host")
}

// enough failures show what is wrong; the other mutations are then skipped,
// because a server that hangs on each would take minutes.
const enough = 16

// mutate plays every gadget on a connection of its own and reports the first
// few that went wrong.
func mutate(gadgets []string, build func(string) (raw, body string)) Step {
	return func(p *peer) error {
		errs := make([]error, len(gadgets))
		var failed atomic.Int32
		var players sync.WaitGroup
		next := make(chan int)
		for range 8 {
			players.Go(func() {
				for i := range next {
					if err := other(playGadget(gadgets[i], build))(p); err != nil {
						failed.Add(1)
						errs[i] = fmt.Errorf("gadget %q: %w", gadgets[i], err)
					}
				}
			})
		}
		for i := range gadgets {
			if failed.Load() >= enough {
				break
			}
			next <- i
		}
		close(next)
		players.Wait()
		return firstFew(errs)
	}
}

func playGadget(gadget string, build func(string) (raw, body string)) Step {
	raw, body := build(gadget)
	if plainField(gadget) {
		return do(send(raw+lastRequest), answer(200, is(body)), answer(200, is(hello)), closed)
	}
	return do(send(raw+lastRequest), refuse(400, 501))
}

// firstFew joins at most three errors and counts the rest.
func firstFew(errs []error) error {
	var few []error
	n := 0
	for _, err := range errs {
		if err == nil {
			continue
		}
		if n++; n <= 3 {
			few = append(few, err)
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d mutations:\n%w", n, len(errs), errors.Join(few...))
}
