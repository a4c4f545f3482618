package proc

import (
	"os"
	"testing"
	"time"
)

func TestParseSchedstat(t *testing.T) {
	tests := []struct {
		name, in string
		want     schedstat
		fails    bool
	}{
		{"usual", "1281067 24 9\n", schedstat{1281067, 24}, false},
		{"two fields", "1 2\n", schedstat{}, true},
		{"no number", "x 0 1\n", schedstat{}, true},
		{"no second number", "1 x 1\n", schedstat{}, true},
		{"empty", "", schedstat{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseSchedstat([]byte(tt.in))
			if got != tt.want || (err != nil) != tt.fails {
				t.Errorf("got %+v, %v; want %+v, failure %v", got, err, tt.want, tt.fails)
			}
		})
	}
}

func TestSince(t *testing.T) {
	tests := []struct {
		name       string
		start, end CPU
		want       time.Duration
		fails      bool
	}{
		{"same threads", CPU{1: 100, 2: 50}, CPU{1: 130, 2: 60}, 40, false},
		{"a new thread counts from zero", CPU{1: 100}, CPU{1: 100, 9: 7}, 7, false},
		{"a lost thread is an error", CPU{1: 100, 2: 50}, CPU{1: 130}, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.end.Since(tt.start)
			if got != tt.want || (err != nil) != tt.fails {
				t.Errorf("got %v, %v; want %v, failure %v", got, err, tt.want, tt.fails)
			}
		})
	}
}

func TestParseRollup(t *testing.T) {
	text := "5581-7ffd ---p 00000000 00:00 0 [rollup]\nRss:     1780 kB\nPss:    412 kB\nAnonymous:  88 kB\n"
	got, err := parseRollup(text)
	if want := (Memory{RSS: 1780 << 10, Anonymous: 88 << 10}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := parseRollup("Rss: 1 kB\n"); err == nil {
		t.Error("got no error without Anonymous, want one")
	}
}

func TestOwnProcess(t *testing.T) {
	start, err := ReadCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 5*time.Millisecond; {
	}
	end, err := ReadCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if used, err := end.Since(start); err != nil || used <= 0 {
		t.Errorf("got %v, %v after some work, want more than 0", used, err)
	}
	if w, err := ReadWait(os.Getpid()); err != nil || w < 0 {
		t.Errorf("got %v, %v; want the time waited for a CPU", w, err)
	}
	if m, err := ReadMemory(os.Getpid()); err != nil || m.Anonymous == 0 || m.RSS < m.Anonymous {
		t.Errorf("got %+v, %v; want 0 < Anonymous <= RSS", m, err)
	}
}

func TestParseWrites(t *testing.T) {
	tests := []struct {
		name, in string
		want     int64
		fails    bool
	}{
		{"usual", "rchar: 4\nwchar: 5\nsyscr: 6\nsyscw: 7\nread_bytes: 8\n", 7, false},
		{"none", "rchar: 4\n", 0, true},
		{"no number", "syscw: x\n", 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := parseWrites(tt.in); got != tt.want || (err != nil) != tt.fails {
				t.Errorf("got %d, %v; want %d, failure %v", got, err, tt.want, tt.fails)
			}
		})
	}
}

// One write more is one more.
func TestReadWrites(t *testing.T) {
	before, err := ReadWrites(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if after, err := ReadWrites(os.Getpid()); err != nil || after <= before {
		t.Errorf("got %d after %d, %v; want more", after, before, err)
	}
}
