package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"weir/bench/internal/stats"
)

// storm is what a process of handshakes prints.
type storm struct {
	Rate   float64 `json:"rate"` // that succeeded, per second
	P50    float64 `json:"p50_us"`
	Failed float64 `json:"failed"`
}

// beside measures once more while another process makes handshakes.
func (r *run) beside(out *report) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	length := r.settle + r.config.window
	other := exec.Command("nice", "-n", "19", self, "-storm-only", "-addr", r.addr, "-storm", strconv.Itoa(r.storm), "-window", length.String())
	other.Stderr = os.Stderr
	made := make(chan error, 1)
	var s storm
	go func() {
		text, err := other.Output()
		if err == nil {
			err = json.Unmarshal(text, &s)
		}
		made <- err
	}()
	time.Sleep(r.settle)
	push, late, _, err := r.window(stormy)
	if stormErr := <-made; err == nil {
		err = stormErr
	}
	if err != nil {
		return err
	}
	out.StormP99 = push.Quantile(0.99)
	out.StormLate = late.Quantile(0.99)
	out.StormFactor = out.StormLate / out.LateP99
	out.Handshakes, out.Handshake, out.Failed = s.Rate, s.P50, s.Failed
	return nil
}

// storms makes handshakes at a steady rate, each on a connection of its own,
// without a session to resume.
func (c config) storms(ctx context.Context) (storm, error) {
	if c.storm <= 0 {
		return storm{}, fmt.Errorf("tlstokens: -storm-only wants a -storm")
	}
	ctx, cancel := context.WithTimeout(ctx, c.window)
	defer cancel()
	var mu sync.Mutex
	var took []float64
	failed := 0
	var all sync.WaitGroup
	began := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(c.storm))))
		all.Go(func() {
			at := time.Now()
			err := c.shake()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed++
				return
			}
			took = append(took, float64(time.Since(at))/1e3)
		})
	}
	all.Wait()
	length := time.Since(began).Seconds()
	if len(took) == 0 {
		return storm{}, fmt.Errorf("tlstokens: %d handshakes failed, none succeeded", failed)
	}
	return storm{Rate: float64(len(took)) / length, P50: stats.Sort(took).Quantile(0.5), Failed: float64(failed)}, nil
}

func (c config) shake() error {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := d.Dial("tcp", c.addr)
	if err == nil {
		_ = conn.Close() // the handshake is what was wanted
	}
	return err
}
