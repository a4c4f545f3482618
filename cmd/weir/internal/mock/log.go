package mock

import (
	"context"
	"strings"
	"time"
)

// Log is what a Server saw, oldest first, without what belongs to /mock/. It is
// a copy.
type Log struct {
	Counts      Counts    `json:"counts"` // of everything since the start or Forget, also of what was dropped from the lists
	Requests    []Request `json:"requests"`
	Connections []Conn    `json:"connections"`
}

// Request is one request that was seen and the fate of its response.
type Request struct {
	ID         int       `json:"id"`         // from 1 on, never used again
	Conn       int       `json:"connection"` // the ID of its connection
	At         time.Time `json:"at"`         // its head was read
	Method     string    `json:"method"`
	Target     string    `json:"target"` // as it was sent, with the query
	Fields     []Field   `json:"fields"` // as they were sent
	Model      string    `json:"model,omitempty"`
	Stream     bool      `json:"stream"`
	BodyLength int64     `json:"body_length"` // -1 while it arrives, and for ever if it did not
	BodySHA256 string    `json:"body_sha256,omitempty"`
	Body       string    `json:"body,omitempty"` // its first 16 KiB

	Faults string    `json:"faults,omitempty"`
	Status int       `json:"status,omitempty"` // 0 until there is a head, and when there is none that is HTTP
	Events int64     `json:"events"`           // written whole, [DONE] too; of a whole response, pieces
	Ended  time.Time `json:"ended,omitzero"`   // nothing more is written
	Whole  bool      `json:"whole"`            // the response was written to its end
	Left   string    `json:"left,omitempty"`   // "fin" or "reset": how the client disconnected before Ended
	LeftAt time.Time `json:"left_at,omitzero"`
}

// Field is a line of a head.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Get returns the value of the first field with that name, in any case, or "".
func (r *Request) Get(name string) string {
	for _, f := range r.Fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Conn is one connection.
type Conn struct {
	ID       int       `json:"id"` // from 1 on, never used again
	Opened   time.Time `json:"opened"`
	Requests int       `json:"requests"`
	Client   string    `json:"client,omitempty"` // how the client ended it: "fin" or "reset"; "" = not, or not before it was closed
	Mock     string    `json:"mock,omitempty"`   // how the mock ended it: "fin" or "reset"; "" = it did not
	Ended    time.Time `json:"ended,omitzero"`   // when the client ended it or the mock closed it; zero while it is open
	Error    string    `json:"error,omitempty"`  // what came and is not an HTTP request
}

// Counts is what can be waited for.
type Counts struct {
	Open     int `json:"open"`     // connections that are open now
	Opened   int `json:"opened"`   // connections
	Closed   int `json:"closed"`   // connections that ended, by whichever side
	Requests int `json:"requests"` // heads
	Bodies   int `json:"bodies"`   // requests that arrived completely
	Ended    int `json:"ended"`    // requests for which nothing more is written
	Left     int `json:"left"`     // requests whose client disconnected before that
	Events   int `json:"events"`   // events written
}

// Log returns what was seen so far.
func (s *Server) Log() Log { return s.seen.log() }

// Counts returns how much was seen so far.
func (s *Server) Counts() Counts { return s.seen.now() }

// Connections returns those that are open.
func (s *Server) Connections() []Conn { return s.seen.open() }

// Forget empties the log. What is open then is still known, but counts start
// from zero.
func (s *Server) Forget() { s.seen.forget() }

// Wait returns when the condition holds, or with the context's error and what
// holds instead. The condition must not call methods of the Server.
func (s *Server) Wait(ctx context.Context, holds func(Counts) bool) error {
	_, err := s.seen.wait(ctx, holds)
	return err
}

// WaitClosed waits until n connections have ended in all.
func (s *Server) WaitClosed(ctx context.Context, n int) error {
	return s.Wait(ctx, func(c Counts) bool { return c.Closed >= n })
}

// WaitEnded waits until the responses to n requests have ended in all.
func (s *Server) WaitEnded(ctx context.Context, n int) error {
	return s.Wait(ctx, func(c Counts) bool { return c.Ended >= n })
}

// WaitEvents waits until n events were written in all.
func (s *Server) WaitEvents(ctx context.Context, n int) error {
	return s.Wait(ctx, func(c Counts) bool { return c.Events >= n })
}
