// Package handler is two native handlers for texts: the shape of a package that
// `weir build --with` compiles in.
//
//	text/chunks  streams the request's body back, word by word, as the response of a language model in OpenAI's form
//	text/count   counts the lines, words, characters and bytes of the request's body
//
// text/chunks is a model whose output is known: to try a client or a user
// interface with it, or to measure what lies between.
package handler

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"weir/plugin"
)

func init() {
	plugin.Register("text/chunks", plugin.Handler{
		Stream: chunks,
		Limit:  10_000, // a call mostly waits
		Doc:    "the body back, word by word, as OpenAI's chunks; ?interval=20ms after each",
	})
	plugin.Register("text/count", plugin.Handler{
		Unary: count,
		Doc:   "the lines, words, characters and bytes of the body, as JSON",
	})
}

// maxInterval is the longest time between two words. It keeps a client from
// holding a stream open for days.
const maxInterval = 10 * time.Second

// chunks sends a word, then waits for the interval, and so on.
func chunks(c plugin.Call, s plugin.Sink) error {
	interval, err := parseInterval(c.Query("interval"))
	if err == nil {
		err = checkText(c.Body())
	}
	if err != nil {
		return refuse(s, s.Send, err)
	}
	if err := s.SetHeader("Content-Type", "text/event-stream"); err != nil {
		return err
	}
	answer := newAnswer()
	for word := range words(string(c.Body())) {
		if err := s.Send(answer.word(word)); err != nil {
			return err // the client has disconnected
		}
		if err := wait(s, interval); err != nil {
			return err // it has disconnected meanwhile
		}
	}
	return s.Send(answer.end())
}

// wait waits for the interval, or until the stream is ended from outside.
func wait(s plugin.Sink, interval time.Duration) error {
	if interval == 0 {
		return nil
	}
	select {
	case <-time.After(interval):
		return nil
	case <-s.Done():
		return s.Cause()
	}
}

// count responds at once.
func count(c plugin.Call, r plugin.Reply) error {
	text := c.Body()
	if err := checkText(text); err != nil {
		return refuse(r, func(p []byte) error { _, err := r.Write(p); return err }, err)
	}
	if err := r.SetHeader("Content-Type", "application/json"); err != nil {
		return err
	}
	_, err := fmt.Fprintf(r, `{"lines":%d,"words":%d,"characters":%d,"bytes":%d}`+"\n", lines(text), fields(text), utf8.RuneCount(text), len(text))
	return err
}

func parseInterval(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxInterval {
		return 0, fmt.Errorf("interval: want a duration from 0s to %v", maxInterval)
	}
	return d, nil
}

func checkText(body []byte) error {
	switch {
	case len(body) == 0:
		return errors.New("the body is empty: want a text")
	case !utf8.Valid(body):
		return errors.New("the body is not UTF-8")
	}
	return nil
}

// refuse responds with 400. It is called before anything was sent.
func refuse(h plugin.Head, send func([]byte) error, reason error) error {
	h.SetStatus(400)
	if err := h.SetHeader("Content-Type", "text/plain; charset=utf-8"); err != nil {
		return err
	}
	return send([]byte(reason.Error() + "\n"))
}
