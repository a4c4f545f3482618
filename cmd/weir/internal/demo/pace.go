package demo

import (
	"errors"
	"flag"
	"math"
	"strconv"
	"time"

	"weir/cmd/weir/internal/command"
)

// Pace is how fast a response comes.
type Pace struct {
	First time.Duration // before the first token
	Rate  float64       // tokens a second from there on; 0 = as fast as the client takes them
}

// defaultPace is about what a small model on one GPU does.
var defaultPace = Pace{First: 50 * time.Millisecond, Rate: 50}

// Set makes p the pace of the model, in all servers of this process.
func (p Pace) Set() { shared.pace.Store(&p) }

// register adds the flags, with defaultPace as their default.
func (p *Pace) register(fs *flag.FlagSet) {
	*p = defaultPace
	fs.Var((*rate)(&p.Rate), "rate", "`TOKENS` a second in each stream; 0 = as fast as the client takes them")
	command.DelayVar(fs, &p.First, "ttft", defaultPace.First, "`DURATION` before the first token")
}

// rate is a flag for a number of tokens a second.
type rate float64

func (r *rate) String() string { return strconv.FormatFloat(float64(*r), 'g', -1, 64) }

func (r *rate) Set(text string) error {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(0 <= v && v <= math.MaxFloat64) {
		return errors.New(`want tokens a second, such as "50" or "0.5"; 0 is as fast as possible`)
	}
	*r = rate(v)
	return nil
}

// longestGap bounds the gap of rates next to 0.
const longestGap = time.Hour

func (p Pace) gap() time.Duration {
	if p.Rate <= 0 {
		return 0
	}
	return time.Duration(min(float64(time.Second)/p.Rate, float64(longestGap)))
}

// hurry is how far a metronome may be behind and still catch up. Delays of the
// scheduler are made up for, a client's stall is not.
const hurry = 100 * time.Millisecond

// metronome gives one response its beats. They are due at fixed times, not a
// gap after each other, so that the rate holds however late the single one is.
type metronome struct {
	due   time.Time // of the next beat
	gap   time.Duration
	timer *time.Timer
}

func (p Pace) start() metronome {
	return metronome{due: time.Now().Add(p.First), gap: p.gap()}
}

// wait returns true when the next beat is due, and false as soon as done is
// closed.
func (m *metronome) wait(done <-chan struct{}) bool {
	select {
	case <-done:
		return false
	default:
	}
	late := time.Since(m.due)
	if late < 0 && !m.sleep(-late, done) {
		return false
	}
	if late > hurry {
		m.due = m.due.Add(late)
	}
	m.due = m.due.Add(m.gap)
	return true
}

func (m *metronome) sleep(d time.Duration, done <-chan struct{}) bool {
	if m.timer == nil {
		m.timer = time.NewTimer(d)
	} else {
		m.timer.Reset(d)
	}
	select {
	case <-m.timer.C:
		return true
	case <-done:
		m.timer.Stop()
		return false
	}
}
