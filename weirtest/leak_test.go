package weirtest_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/weirtest"
)

// fakeT takes the reports of a test that is to fail, and runs its cleanups.
type fakeT struct {
	testing.TB
	reports  []string
	cleanups []func()
}

func (f *fakeT) Helper()          {}
func (f *fakeT) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }
func (f *fakeT) Error(a ...any)   { f.reports = append(f.reports, fmt.Sprint(a...)) }
func (f *fakeT) Fatal(a ...any)   { f.Error(a...); runtime.Goexit() }
func (f *fakeT) Errorf(format string, a ...any) {
	f.reports = append(f.reports, fmt.Sprintf(format, a...))
}
func (f *fakeT) Fatalf(format string, a ...any) { f.Errorf(format, a...); runtime.Goexit() }

// reports returns what a test reports.
func reports(t *testing.T, test func(t *fakeT)) string {
	f := &fakeT{TB: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		test(f)
	}()
	<-ended
	for i := len(f.cleanups) - 1; i >= 0; i-- {
		f.cleanups[i]()
	}
	return strings.Join(f.reports, "\n")
}

// numbers is a source that is never at its end.
type numbers struct{}

func (numbers) Next(dst []byte) ([]byte, error) { return append(dst, '1'), weir.ErrNotReady }
func (numbers) Close(error)                     {}

// What fails a test, and what does not.
func TestVerdicts(t *testing.T) {
	// forgetful is a handler that waits for what never comes; stop ends it.
	forgetful := func(stop chan struct{}) *weir.Server {
		return &weir.Server{Handler: weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
			_ = w.Stream().Send([]byte("one"))
			<-stop
		})}
	}
	tests := []struct {
		name string
		want string // "" is that it passes
		test func(t *fakeT, stop chan struct{})
	}{
		{"a good test", "", func(t *fakeT, _ chan struct{}) {
			s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
				<-w.Stream().Done()
			})})
			s.Get("/")
		}},
		{"a handler that does not see the disconnect", "TestVerdicts", func(t *fakeT, stop chan struct{}) {
			weirtest.Start(t, forgetful(stop)).Get("/")
		}},
		{"a goroutine that a handler left behind", "a goroutine is still there", func(t *fakeT, stop chan struct{}) {
			s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(*weir.Response, *weir.Request) {
				go func() { <-stop }()
			})})
			s.Get("/").Response()
		}},
		{"a ticker without end", "a goroutine is still there", func(t *fakeT, stop chan struct{}) {
			s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(*weir.Response, *weir.Request) {
				go func() {
					for {
						select {
						case <-time.After(time.Second):
						case <-stop:
							return
						}
					}
				}()
			})})
			s.Get("/").Response()
		}},
		{"a handler that takes its time", "", func(t *fakeT, _ chan struct{}) {
			s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
				time.Sleep(50 * time.Second)
			})})
			s.Get("/")
			s.Settle()
		}},
		{"a source that was not used", "called 0 times", func(t *fakeT, _ chan struct{}) {
			var s *weirtest.Server
			s = weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
				s.Source(numbers{})
			})})
			s.Get("/").Response()
		}},
		{"a source that is closed twice", "called 2 times", func(t *fakeT, _ chan struct{}) {
			var s *weirtest.Server
			s = weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
				src := s.Source(numbers{})
				src.Close(nil)
				w.StreamFrom(src)
			})})
			s.Get("/").Response()
		}},
		{"a source that is used", "", func(t *fakeT, _ chan struct{}) {
			var s *weirtest.Server
			s = weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
				w.StreamFrom(s.Source(numbers{}))
			})})
			s.Get("/")
			s.Settle()
		}},
		{"other bytes", `received "HTTP/1.1 `, func(t *fakeT, _ chan struct{}) {
			s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(*weir.Response, *weir.Request) {})})
			s.Get("/").Expect("hello")
		}},
		{"no response", "no complete head so far", func(t *fakeT, _ chan struct{}) {
			s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(*weir.Response, *weir.Request) {})})
			s.Dial().Response()
		}},
		{"sending after closing", "use of closed network connection", func(t *fakeT, _ chan struct{}) {
			s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(*weir.Response, *weir.Request) {})})
			c := s.Dial()
			_ = c.Close()
			c.Send("GET")
		}},
		{"sending after the server has closed", "", func(t *fakeT, _ chan struct{}) {
			s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(*weir.Response, *weir.Request) {})})
			c := s.Dial()
			c.Send("garbage\r\n\r\n")
			s.Tick(5 * time.Second)
			c.Send("more")
			c.Send("more")
		}},
		{"a stream without end", "without a pause", func(t *fakeT, _ chan struct{}) {
			s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
				for stream := w.Stream(); stream.Send(make([]byte, 64<<10)) == nil; {
				}
			})})
			s.Get("/").Received()
		}},
		{"a server that cannot start", "weir: Server.Handler is nil", func(t *fakeT, _ chan struct{}) {
			weirtest.Start(t, &weir.Server{})
		}},
		{"a server that was started", "System is set", func(t *fakeT, _ chan struct{}) {
			srv := &weir.Server{Handler: new(weir.Mux)}
			weirtest.Start(t, srv)
			weirtest.Start(t, srv)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stop := make(chan struct{})
				defer close(stop)
				got := reports(t, func(f *fakeT) { tt.test(f, stop) })
				if !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
					t.Errorf("got reports %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestStartOutsideOfABubble(t *testing.T) {
	got := reports(t, func(t *fakeT) { weirtest.Start(t, &weir.Server{Handler: new(weir.Mux)}) })
	if !strings.Contains(got, "synctest.Test") {
		t.Errorf("got reports %q, want the way to do it", got)
	}
}

const leaky = "WEIRTEST_LEAKY"

// TestLeaky is a user's test that leaks a goroutine; it runs in a process of its own.
func TestLeaky(t *testing.T) {
	if os.Getenv(leaky) == "" {
		t.Skip("it is to fail; see TestLeakFailsTheProcess")
	}
	synctest.Test(t, func(t *testing.T) {
		s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
			_, _ = io.WriteString(w, "hello")
			go waitForEver()
		})})
		s.Get("/").Response()
	})
}

func waitForEver() { select {} }

// The user of a test that leaks sees which goroutine it was.
func TestLeakFailsTheProcess(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLeaky$")
	cmd.Env = append(os.Environ(), leaky+"=1")
	out, err := cmd.CombinedOutput()
	report, _, _ := strings.Cut(string(out), "panic:")
	if err == nil || !strings.Contains(report, "--- FAIL: TestLeaky") ||
		!strings.Contains(report, "weirtest: a goroutine is still there") || !strings.Contains(report, "waitForEver") {
		t.Errorf("got %v and\n%s\nwant a report that names waitForEver", err, out)
	}
}
