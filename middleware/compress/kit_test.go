package compress_test

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"weir"
	"weir/internal/leak"
	"weir/weirtest"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m)) }

func at(t *testing.T, srv *weir.Server, f func(s *weirtest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(weirtest.Start(t, srv)) })
}

// ask sends a request line and fields, separated by "|".
func ask(s *weirtest.Server, request string) *weirtest.Response {
	c := s.Dial()
	defer c.Close()
	c.Send(head(request))
	return c.Response()
}

func head(request string) string {
	line, fields, _ := strings.Cut(request, "|")
	if fields != "" {
		fields = strings.ReplaceAll(fields, "|", "\r\n") + "\r\n"
	}
	return line + " HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n"
}

// decoded reads what has come of a coded body. Of one that is cut it returns
// what can be decoded.
func decoded(t *testing.T, coding, body string) (string, error) {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	switch coding {
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return "", err
		}
		r = z
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return "", err
		}
		defer z.Close()
		r = z
	case "":
	default:
		t.Fatalf("unknown coding %q", coding)
	}
	var text bytes.Buffer
	_, err := io.Copy(&text, r)
	return text.String(), err
}
