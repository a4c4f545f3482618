package leak

import (
	"os"
	"strings"
	"testing"
	"time"

	"weir/internal/patience"
)

func TestMain(m *testing.M) { os.Exit(Check(m)) }

// tests stands for a testing.M.
type tests func() int

func (t tests) Run() int { return t() }

func TestCheck(t *testing.T) {
	release := make(chan struct{})
	ended := make(chan struct{})
	var file *os.File
	cases := []struct {
		name string
		run  func() int
		want int
		says string // in the report
	}{
		{"nothing left", func() int { return 0 }, 0, ""},
		{"failed tests keep their code", func() int { return 2 }, 2, ""},
		{
			"a goroutine that ends in time",
			func() int {
				go func() { <-time.After(time.Millisecond) }()
				return 0
			},
			0, "",
		},
		{
			"a goroutine",
			func() int {
				go func() {
					defer close(ended)
					<-release
				}()
				return 0
			},
			1, "leak.TestCheck",
		},
		{
			"a descriptor",
			func() int {
				var err error
				if file, err = os.Open(os.DevNull); err != nil {
					t.Error(err)
				}
				return 0
			},
			1, os.DevNull,
		},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			wait := 20 * time.Millisecond
			if tt.want == 0 {
				wait = patience.Limit
			}
			var out strings.Builder
			if got := check(tests(tt.run), &out, wait); got != tt.want {
				t.Errorf("got code %d, want %d", got, tt.want)
			}
			if !strings.Contains(out.String(), tt.says) || (tt.says == "") != (out.Len() == 0) {
				t.Errorf("got report %q, want one with %q", out.String(), tt.says)
			}
		})
	}
	close(release)
	<-ended
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

// A number that was closed and opened again is a new descriptor.
func TestWithoutTellsReusedNumbersApart(t *testing.T) {
	before := held{descriptors: map[string]string{"3": "socket:[1]", "4": "socket:[2]"}}
	after := held{descriptors: map[string]string{"3": "socket:[9]", "4": "socket:[2]"}}
	left := after.without(before)
	if got, want := left.descriptors["3"], "socket:[9]"; got != want || len(left.descriptors) != 1 {
		t.Errorf("got %v, want only 3, %s", left.descriptors, want)
	}
}
