package conform

import (
	"encoding/json"
	"fmt"
	"time"
)

// stats is what the cases read from GET /stats.
type stats struct {
	Connections      int `json:"connections"`
	StreamsActive    int `json:"streams_active"`
	StreamsCancelled int `json:"streams_cancelled"`
	Goroutines       int `json:"goroutines"`
}

func readStats(p *peer) (stats, error) {
	var now stats
	if err := p.send(msg("GET /stats HTTP/1.1", host)); err != nil {
		return now, err
	}
	if err := answer(200)(p); err != nil {
		return now, fmt.Errorf("stats: %w", err)
	}
	if err := json.Unmarshal(p.last.body, &now); err != nil {
		return now, fmt.Errorf("stats: %w", err)
	}
	return now, nil
}

// pollStats polls until the condition holds, at most as long as the target's
// patience.
func pollStats(p *peer, want string, holds func(stats) bool) error {
	deadline := p.until()
	for {
		now, err := readStats(p)
		if err != nil || holds(now) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("got stats %+v, want %s", now, want)
		}
		if err := quiet(2 * time.Millisecond)(p); err != nil {
			return err
		}
	}
}
