package proc

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Meter holds the readings at the beginning of a measurement.
type Meter struct {
	pids   []int
	at     time.Time
	cpu    CPU
	writes int64
	own    time.Duration
}

// Cost is what was used between Start and Stop.
type Cost struct {
	Wall   time.Duration
	Server time.Duration // CPU time of the metered processes
	Writes int64         // their write(2) calls
	Busy   float64       // share of one core that the calling process took
}

// Start begins to meter the processes; without any, Cost.Server stays 0.
func Start(pids ...int) (*Meter, error) {
	m := &Meter{pids: pids}
	var err error
	if m.cpu, err = ReadCPU(pids...); err != nil {
		return nil, err
	}
	if m.writes, err = ReadWrites(pids...); err != nil {
		return nil, err
	}
	if m.own, err = ownCPU(); err != nil {
		return nil, err
	}
	m.at = time.Now()
	return m, nil
}

// Begun returns the moment from which the meter counts.
func (m *Meter) Begun() time.Time { return m.at }

// Stop returns the cost since Start. It may be called again for a later one.
func (m *Meter) Stop() (Cost, error) {
	wall := time.Since(m.at)
	own, err := ownCPU()
	if err != nil {
		return Cost{}, err
	}
	cpu, err := ReadCPU(m.pids...)
	if err != nil {
		return Cost{}, err
	}
	writes, err := ReadWrites(m.pids...)
	if err != nil {
		return Cost{}, err
	}
	server, err := cpu.Since(m.cpu)
	if err != nil {
		return Cost{}, err
	}
	return Cost{Wall: wall, Server: server, Writes: writes - m.writes, Busy: (own - m.own).Seconds() / wall.Seconds()}, nil
}

// Per returns the server's microseconds per one of n things.
func (c Cost) Per(n int) float64 { return float64(c.Server) / 1e3 / float64(n) }

func ownCPU() (time.Duration, error) {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("proc: getrusage: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
