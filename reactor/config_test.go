package reactor

import (
	"testing"
	"time"
)

// Zero is the default, negative is none, and what cannot be none is refused.
func TestConfigOfNegatives(t *testing.T) {
	for name, cfg := range map[string]Config{
		"Loops": {Loops: -1}, "HighMark": {HighMark: -1}, "LowMark": {LowMark: -1}, "marks that cross": {HighMark: 10, LowMark: 10},
	} {
		if r, err := New(cfg); err == nil {
			r.Close()
			t.Errorf("%s: got a reactor, want an error", name)
		}
	}
	none := Config{WriteStall: -1, Linger: -1, LingerBytes: -1, MaxOpen: -1, MaxConns: -1}
	none.fillIn()
	if none.WriteStall != Never || none.Linger != 0 || none.LingerBytes != 0 || none.MaxConns < 1<<30 || none.MaxOpen < 1<<30 {
		t.Errorf("got %+v, want nothing limited", none)
	}
	var standard Config
	standard.fillIn()
	if standard.WriteStall != DefaultWriteStall || standard.Linger != DefaultLinger || standard.HighMark != DefaultHighMark || standard.MaxConns != standard.MaxOpen {
		t.Errorf("got %+v, want the defaults", standard)
	}
	if now := time.Now(); !now.Add(Never).Add(Never / 2).After(now) {
		t.Error("Never is too long to be added to a time")
	}
}
