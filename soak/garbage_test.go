//go:build soak

package soak

import (
	"fmt"
	"strings"
	"time"
)

// rubbish is what no server should take, each with the status that refuses it.
var rubbish = []struct {
	bytes  string
	status int
}{
	{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS greeting \r\n\r\n", 400},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
	{"GET / HTTP/2.0\r\nHost: soak\r\n\r\n", 505},
	{"GET  / HTTP/1.1\r\nHost: soak\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: soak\r\nX: a\x00b\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: soak\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", 431},
	{"GET /" + strings.Repeat("x", 10<<10) + " HTTP/1.1\r\nHost: soak\r\n\r\n", 414},
	{"PUT /buffered/0 HTTP/1.1\r\nHost: soak\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
	{"PUT /buffered/0 HTTP/1.1\r\nHost: soak\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
	{"PUT /buffered/0 HTTP/1.1\r\nHost: soak\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
	{"PUT /buffered/0 HTTP/1.1\r\nHost: soak\r\nContent-Length: 99999999\r\n\r\n", 413},
}

// garbage is refused, and the connection closed.
func (s *seat) garbage() error {
	w, err := connect(s.hall.addr, 0)
	if err != nil {
		return err
	}
	defer w.reset()
	s.pause(0, 500*time.Millisecond)
	if s.rng.IntN(3) > 0 {
		return s.expectRefusal(w)
	}
	noise := make([]byte, 100+s.rng.IntN(5000))
	for i := range noise {
		noise[i] = byte(s.rng.Uint32())
	}
	w.say(append(noise, "\r\n\r\n"...))
	return s.refusedWith(w, "noise", 400)
}

// garbageBehind sends it behind a request, whose answer comes first.
func (s *seat) garbageBehind() error {
	w, err := connect(s.hall.addr, 0)
	if err != nil {
		return err
	}
	defer w.reset()
	rec := book.open(s.ordinary(), "garbage behind", whole)
	w.say(rec.head())
	at := s.rng.IntN(len(rubbish))
	w.say([]byte(rubbish[at].bytes))
	n, err := w.all(rec)
	s.hall.bytes.Add(n)
	if err != nil {
		return err
	}
	return s.refusedWith(w, rubbish[at].bytes, rubbish[at].status)
}

func (s *seat) expectRefusal(w *wire) error {
	at := s.rng.IntN(len(rubbish))
	w.say([]byte(rubbish[at].bytes))
	return s.refusedWith(w, rubbish[at].bytes, rubbish[at].status)
}

func (s *seat) refusedWith(w *wire, what string, status int) error {
	what = what[:min(len(what), 60)]
	res, err := w.answer()
	if err != nil {
		return fmt.Errorf("%q: got %w, want %d", what, err, status)
	}
	if res.StatusCode != status || !res.Close {
		return fmt.Errorf("%q: got %d, close %v, want %d and close", what, res.StatusCode, res.Close, status)
	}
	if err := drain(res.Body); err != nil {
		return fmt.Errorf("%q: reading the refusal: %w", what, err)
	}
	return w.ended()
}
