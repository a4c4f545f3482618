package chunked

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// stricter lists the faults that net/http, the oracle, lets pass, each with what it does instead.
// Every other fault must be an error there too.
var stricter = map[fault]string{
	danglingBlank: "blanks at the end of a size line are trimmed",
	badExtension:  "extensions are cut off without a look",
	longSize:      "leading zeros do not count as digits past the 16th",
	bigSize:       "64 bits are read, and such a body then ends early",
	bareLF:        "a size line may end in a bare LF",
	bareCR:        "CR is only trimmed before LF",
	longLine:      "the limit is that of the bufio.Reader, 4096 bytes",
	overhead:      "16 KiB are free there",
	badTrailer:    "obs-fold, bare LF and controls in values pass",
	longTrailer:   "the limit is that of the bufio.Reader",
	manyTrailers:  "there is no limit of fields",
}

// blankBeforeExt is what net/http refuses and RFC 9112 section 7.1.1 allows as BWS. The other way round, it
// wants lines and the trailer section to fit its bufio.Reader of 4096 bytes.
var blankBeforeExt = regexp.MustCompile(`[0-9A-Fa-f][ \t]+;`)

// ask has net/http read body as a request's.
func ask(body []byte) (data, rest []byte, trailer http.Header, err error) {
	head := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	br := bufio.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(body)))
	req, err := http.ReadRequest(br)
	if err != nil {
		return nil, nil, nil, err
	}
	if data, err = io.ReadAll(req.Body); err != nil {
		return data, nil, nil, err
	}
	rest, err = io.ReadAll(br)
	return data, rest, req.Trailer, err
}

// agree compares what d made of body with the oracle.
func agree(t *testing.T, d *Decoder, got outcome, body []byte) {
	t.Helper()
	data, rest, trailer, err := ask(body)
	if got.done {
		if err != nil && (blankBeforeExt.Match(body) || len(body) > 4096) {
			return
		}
		if err != nil || string(data) != got.data || string(rest) != got.rest {
			t.Fatalf("%q: got %+v, net/http %q, rest %q, error %v", body, got, data, rest, err)
		}
		for _, field := range strings.SplitAfter(got.trailers, ";") {
			if name, _, ok := strings.Cut(field, "="); ok && trailer.Values(name) == nil {
				t.Fatalf("%q: got trailer %q, net/http has %v", body, name, trailer)
			}
		}
		return
	}
	if got.err == "" && err == nil {
		t.Fatalf("%q: got more, net/http is done with %q", body, data)
	}
	if got.err != "" && err == nil {
		at := slices.IndexFunc(faults[:], func(f struct {
			status int
			reason string
		}) bool {
			return f.reason == d.err.Reason
		})
		if stricter[fault(at)] == "" {
			t.Fatalf("%q: got %v, net/http is done with %q", body, d.err, data)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	for _, tt := range accepted {
		f.Add([]byte(tt.body+"NEXT"), uint16(3), uint16(7))
	}
	for _, body := range []string{"5\r\nhelloXX", "5 \r\nhello\r\n0\r\n\r\n", "5;\r\n", "8000000000000000\r\n", "0\r\nA: x\r\n y\r\n\r\n"} {
		f.Add([]byte(body), uint16(1), uint16(2))
	}
	f.Fuzz(func(t *testing.T, body []byte, i, j uint16) {
		d := new(Decoder)
		atOnce := decode(t, d, string(body))
		agree(t, d, atOnce, body)
		a, b := int(i)%(len(body)+1), int(j)%(len(body)+1)
		a, b = min(a, b), max(a, b)
		got := decode(t, new(Decoder), string(body[:a]), string(body[a:b]), string(body[b:]))
		if got != atOnce {
			t.Fatalf("%q cut at %d and %d: got %+v, want %+v", body, a, b, got, atOnce)
		}
	})
}

// FuzzRoundTrip sends data in chunks of fuzzed sizes and has net/http/httputil and the Decoder read them.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("hello, world"), uint8(5))
	f.Add([]byte(""), uint8(1))
	f.Add(bytes.Repeat([]byte("\r\n0"), 100), uint8(17))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		var body []byte
		for chunk := range slices.Chunk(data, int(size)+1) {
			body = AppendChunk(body, chunk)
		}
		body = AppendEnd(AppendChunk(body, nil))
		theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body)))
		if err != nil || !bytes.Equal(theirs, data) {
			t.Fatalf("httputil: got %q, %v, want %q", theirs, err, data)
		}
		if got, want := decode(t, new(Decoder), string(body)), (outcome{data: string(data), done: true}); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}
