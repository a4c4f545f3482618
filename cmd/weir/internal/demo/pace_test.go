package demo

import (
	"flag"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// beats returns when each of n beats came, in milliseconds since the start.
func beats(m *metronome, n int) []int64 {
	begin := time.Now()
	at := make([]int64, n)
	for i := range at {
		m.wait(nil)
		at[i] = time.Since(begin).Milliseconds()
	}
	return at
}

func TestMetronome(t *testing.T) {
	tests := []struct {
		name string
		pace Pace
		want [4]int64
	}{
		{"default", defaultPace, [4]int64{50, 70, 90, 110}},
		{"no first wait", Pace{Rate: 10}, [4]int64{0, 100, 200, 300}},
		{"as fast as possible", Pace{First: 30 * time.Millisecond}, [4]int64{30, 30, 30, 30}},
		{"slow", Pace{Rate: 0.5}, [4]int64{0, 2000, 4000, 6000}},
		{"next to nothing", Pace{Rate: 1e-300}, [4]int64{0, 3_600_000, 7_200_000, 10_800_000}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := tt.pace.start()
				if got := [4]int64(beats(&m, 4)); got != tt.want {
					t.Errorf("got beats at %v ms, want %v", got, tt.want)
				}
			})
		})
	}
}

// What is late by a little is caught up with, so that the rate holds. After a
// stall the rhythm begins anew.
func TestMetronomeBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := Pace{Rate: 100}.start()
		beats(&m, 1) // the next one is due at 10 ms
		<-time.After(35 * time.Millisecond)
		if got, want := [4]int64(beats(&m, 4)), [4]int64{0, 0, 0, 5}; got != want {
			t.Errorf("35 ms late: got beats after %v ms, want %v", got, want)
		}
		<-time.After(time.Minute)
		if got, want := [4]int64(beats(&m, 4)), [4]int64{0, 10, 20, 30}; got != want {
			t.Errorf("a minute late: got beats after %v ms, want %v", got, want)
		}
	})
}

func TestMetronomeStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := Pace{First: time.Hour, Rate: 1}.start()
		done := make(chan struct{})
		begin := time.Now()
		time.AfterFunc(time.Second, func() { close(done) })
		if m.wait(done) || time.Since(begin) != time.Second {
			t.Errorf("got an end after %v, want after 1s and no beat", time.Since(begin))
		}
		due := Pace{}.start()
		if due.wait(done) {
			t.Error("got a beat that is due, but nobody listens")
		}
	})
}

func TestPaceFlags(t *testing.T) {
	tests := []struct {
		args string
		want Pace
		err  string
	}{
		{"", Pace{50 * time.Millisecond, 50}, ""},
		{"--rate 0 --ttft 0", Pace{}, ""},
		{"--rate 0.25 --ttft 1.5s", Pace{1500 * time.Millisecond, 0.25}, ""},
		{"--rate -1", Pace{}, "tokens a second"},
		{"--rate NaN", Pace{}, "tokens a second"},
		{"--rate Inf", Pace{}, "tokens a second"},
		{"--rate fast", Pace{}, "tokens a second"},
		{"--ttft -1s", Pace{}, "below zero"},
		{"--ttft 50", Pace{}, "want a duration"},
	}
	for _, tt := range tests {
		var p Pace
		fs := flag.NewFlagSet("test", flag.ContinueOnError)
		fs.SetOutput(new(strings.Builder))
		p.register(fs)
		err := fs.Parse(strings.Fields(tt.args))
		switch {
		case tt.err == "" && (err != nil || p != tt.want):
			t.Errorf("%q: got %v, %v, want %v", tt.args, p, err, tt.want)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%q: got error %v, want one with %q", tt.args, err, tt.err)
		}
	}
}
