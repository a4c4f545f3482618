package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"weir/bench/internal/load"
	"weir/bench/internal/proc"
)

// steps is a decode loop's response to /steps, and when it came.
type steps struct {
	Steps   int64 `json:"steps"`
	Held    int64 `json:"held_ns"`
	Refused int64 `json:"refused"`
	at      time.Time
}

// askSteps gets /steps, and then reads what came for the streams meanwhile.
func (r *run) askSteps(client *load.Client) (steps, error) {
	var s steps
	if !r.steps {
		return s, nil
	}
	if err := ask(r.addr, "/steps", &s); err != nil {
		return s, err
	}
	s.at = time.Now()
	return s, client.Poll(s.at.Add(2 * r.interval))
}

// add notes what the loop did in between.
func (out *report) add(before, after steps, cost proc.Cost) {
	n, wall := float64(after.Steps-before.Steps), after.at.Sub(before.at).Seconds()
	if n == 0 {
		return
	}
	out.StepRate = n / wall
	out.Held = float64(after.Held-before.Held) / 1e3 / n
	out.Refused = float64(after.Refused-before.Refused) / wall
	out.Writes = float64(cost.Writes) / (out.StepRate * cost.Wall.Seconds())
}

// ask gets JSON from the server, on a connection of its own.
func ask(addr, path string, v any) error {
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Get("http://" + addr + path)
	if err != nil {
		return fmt.Errorf("paced: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("paced: %s: got status %s", path, res.Status)
	}
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		return fmt.Errorf("paced: %s: %w", path, err)
	}
	return nil
}
