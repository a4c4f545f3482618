package client_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// FuzzAnswer feeds any bytes as an answer: at once, cut anywhere, byte by
// byte, and to a Receiver that pauses all the time. What comes of it must be
// the same, and the end must be told once, which the desk checks. A whole
// answer must be what net/http takes it for.
func FuzzAnswer(f *testing.F) {
	for _, a := range answerCases {
		how := uint8(0)
		if a.method == "HEAD" {
			how = 1
		}
		if a.ending == closes {
			how |= 4
		}
		f.Add(a.sent, []byte{3, 20, 1}, how)
	}
	f.Fuzz(func(t *testing.T, sent string, cuts []byte, how uint8) {
		if len(sent) > 600 {
			t.Skip("byte by byte is slow")
		}
		method, e := []string{"GET", "HEAD", "POST", "CONNECT"}[how&3], ending(how>>2&1)
		atDesk(t, smallLimits, func(d *desk) {
			want := d.play(method, []string{sent}, e, false)
			agree(d, method, sent, want)
			for _, pausing := range []bool{false, true} {
				for _, pieces := range [][]string{{sent}, cut(sent, cuts), strings.Split(sent, "")} {
					if got := d.play(method, pieces, e, pausing); got != want {
						d.Fatalf("%s, %q, pausing %v: got %+v, want %+v as at once", method, pieces, pausing, got, want)
					}
				}
			}
		})
	})
}

// cut cuts s into pieces of these sizes, and the rest.
func cut(s string, sizes []byte) (pieces []string) {
	for _, n := range sizes {
		n := min(int(n), len(s))
		pieces, s = append(pieces, s[:n]), s[n:]
	}
	return append(pieces, s)
}

// agree holds an answer that is whole against what net/http makes of it.
func agree(t testing.TB, method, sent string, got outcome) {
	t.Helper()
	if got.end != "" {
		return
	}
	theirs, err := ask(method, sent)
	if err != nil || theirs != got.answer {
		t.Fatalf("%s, %q: got %q, net/http has %q, %v", method, sent, got.answer, theirs, err)
	}
}

// ask has net/http read the final answer.
func ask(method, sent string) (string, error) {
	in := bufio.NewReader(strings.NewReader(sent))
	for {
		r, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return "", err
		}
		if r.StatusCode < 200 {
			continue
		}
		if r.StatusCode == http.StatusSwitchingProtocols {
			return "", errors.New("switched")
		}
		body := []byte(nil)
		if method != "CONNECT" || r.StatusCode/100 != 2 {
			if body, err = io.ReadAll(r.Body); err != nil {
				return "", err
			}
		}
		return strings.Join([]string{r.Status[:3], string(body)}, " "), nil
	}
}
