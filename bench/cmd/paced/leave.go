package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"weir/bench/internal/load"
	"weir/bench/internal/stats"
)

// departure is a report of clients that disconnect; times are in milliseconds,
// and delays are those of the remaining streams.
type departure struct {
	Left       int     `json:"left"`
	Closed     float64 `json:"closed_ms"`  // that the kernel took to close the connections of those that disconnected
	Noticed    float64 `json:"noticed_ms"` // from the first of that to when the server knew of all
	BeforeP50  float64 `json:"before_p50_ms"`
	BeforeP99  float64 `json:"before_p99_ms"` // from push to arrival, in the second before
	BeforeMax  float64 `json:"before_max_ms"`
	AfterP50   float64 `json:"after_p50_ms"`
	AfterP99   float64 `json:"after_p99_ms"` // in the second after
	AfterMax   float64 `json:"after_max_ms"`
	Ratio      float64 `json:"p99_ratio"`  // after ÷ before
	Incomplete int     `json:"incomplete"` // of the remaining streams
	FirstError string  `json:"first_error"`
}

// aside is the measured time before and after the disconnect.
const aside = time.Second

// measureLeave disconnects half of the streams at once: they are those of a
// process of their own, which is killed.
func measureLeave(c config) (departure, error) {
	leaving := c.conns / 2
	c.conns -= leaving
	c.window = 3 * aside
	crowd, err := c.startCrowd(leaving)
	if err != nil {
		return departure{}, err
	}
	defer crowd.end()
	r := newRun(c)
	client, err := load.New(c.addr, r)
	if err != nil {
		return departure{}, err
	}
	defer client.Close()
	if err := r.open(client); err != nil {
		return departure{}, err
	}
	out, err := r.watch(client, crowd)
	if err != nil {
		return out, err
	}
	out.Left = leaving
	out.Incomplete, out.FirstError, err = r.finish(client)
	return out, err
}

// watch measures the second before the disconnect and the second after.
func (r *run) watch(client *load.Client, crowd *crowd) (out departure, err error) {
	gone := make(chan error, 1)
	var answer struct {
		At int64 `json:"at"`
	}
	go func() { gone <- ask(r.addr, "/gone?n="+strconv.Itoa(crowd.size), &answer) }()
	before, err := r.second(client)
	if err != nil {
		return out, err
	}
	begun := time.Now()
	closed := make(chan time.Duration, 1)
	go func() {
		crowd.end()
		closed <- time.Since(begun)
	}()
	after, err := r.second(client)
	if err != nil {
		return out, err
	}
	out.Closed = millis(<-closed)
	if err := <-gone; err != nil {
		return out, err
	}
	if answer.At == 0 {
		return out, errors.New("paced: the server has not noticed every disconnect")
	}
	out.Noticed = millis(time.Duration(answer.At - begun.UnixNano()))
	out.BeforeP50, out.BeforeP99, out.BeforeMax = before.Median()/1e3, before.Quantile(0.99)/1e3, before.Max()/1e3
	out.AfterP50, out.AfterP99, out.AfterMax = after.Median()/1e3, after.Quantile(0.99)/1e3, after.Max()/1e3
	out.Ratio = out.AfterP99 / out.BeforeP99
	return out, nil
}

func millis(d time.Duration) float64 { return float64(d) / 1e6 }

// second samples the delays of one.
func (r *run) second(client *load.Client) (stats.Sorted, error) {
	r.push, r.sampling = nil, true
	err := client.Poll(time.Now().Add(aside))
	r.sampling = false
	if err == nil && len(r.push) == 0 {
		err = fmt.Errorf("paced: no frame in a second (first error: %v)", r.firstError)
	}
	return stats.Sort(r.push), err
}

// crowd is a process with streams.
type crowd struct {
	size int
	cmd  *exec.Cmd
	once sync.Once
}

// startCrowd returns when the streams have had the time to be opened.
func (c config) startCrowd(size int) (*crowd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("paced: %w", err)
	}
	args := []string{"-addr", c.addr, "-conns", strconv.Itoa(size), "-interval", c.interval.String(),
		"-size", strconv.Itoa(c.size), "-numbered=" + strconv.FormatBool(c.numbered), "-settle", "10m"}
	cr := &crowd{size: size, cmd: exec.Command(self, args...)}
	cr.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cr.cmd.Start(); err != nil {
		return nil, fmt.Errorf("paced: %w", err)
	}
	time.Sleep(time.Duration(size)*openSpacing + c.settle)
	return cr, nil
}

// end kills the process and returns when its connections are closed.
func (cr *crowd) end() {
	cr.once.Do(func() {
		_ = cr.cmd.Process.Kill() // what has ended already is as good
		_ = cr.cmd.Wait()         // it was killed, so it has failed
	})
}
