package ws

import "sync/atomic"

// Stats counts what connections do. It is safe for concurrent use. The zero value
// is ready; set it as [Options].Stats.
type Stats struct {
	open, total       atomic.Int64
	received, sent    atomic.Int64
	bytesIn, bytesOut atomic.Int64
	refused, failed   atomic.Int64
	skipped           atomic.Int64
}

// Figures are the counts of a [Stats] at one moment.
type Figures struct {
	Open          int64 // connections
	Total         int64 // ... since the beginning
	Refused       int64 // requests that were not upgraded: for their head, or their origin
	Failed        int64 // connections that were closed because the peer violated the protocol or a limit
	Received      int64 // messages
	ReceivedBytes int64 // ... their payload, inflated
	Sent          int64
	SentBytes     int64
	Skipped       int64 // messages of rooms that members did not get because they were behind
}

// Figures returns the counts.
func (s *Stats) Figures() Figures {
	return Figures{
		Open: s.open.Load(), Total: s.total.Load(), Refused: s.refused.Load(), Failed: s.failed.Load(),
		Received: s.received.Load(), ReceivedBytes: s.bytesIn.Load(),
		Sent: s.sent.Load(), SentBytes: s.bytesOut.Load(), Skipped: s.skipped.Load(),
	}
}
