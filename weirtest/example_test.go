package weirtest_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/example"
	"weir/weirtest"
)

// chatter is a handler that sends a chunk of 1 KiB every ten milliseconds.
func chatter() weir.Handler {
	return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		stream := w.Stream()
		for stream.Send(make([]byte, 1<<10)) == nil {
			time.Sleep(10 * time.Millisecond)
		}
		fmt.Println("the handler was stopped:", stream.Cause())
	})
}

// The client disconnects in the middle of a stream.
func Example() {
	test := func(t *testing.T) { // func TestDisconnect(t *testing.T) in a test file
		synctest.Test(t, func(t *testing.T) {
			s := weirtest.Start(t, &weir.Server{Handler: chatter()})
			c := s.Get("/")
			s.Tick(25 * time.Millisecond)
			res := c.Response()
			fmt.Println(res.Status, len(res.Body), res.Complete)
			_ = c.Close()
			s.Tick(10 * time.Millisecond)
		})
	}
	example.Run(test)
	// Output:
	// 200 3072 false
	// the handler was stopped: weir: client disconnected
}

// A client that stops reading holds up its producer, and is cut when the stall
// time is over.
func ExampleClient_SetWindow() {
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := &weir.Server{Handler: chatter()}
			srv.Limits.HighMark = 16 << 10            // the server holds that much for a client
			srv.Timeouts.WriteStall = 5 * time.Second // and that long
			s := weirtest.Start(t, srv)
			c := s.Dial()
			c.SetWindow(8 << 10) // and the client as much as this
			c.Get("/")

			s.Tick(3 * time.Second)
			fmt.Println("unread:", c.Unread(), "pending:", srv.Stats().PendingBytes > 16<<10)
			s.Tick(3 * time.Second)
			fmt.Println(c.Err())
		})
	}
	example.Run(test)
	// Output:
	// unread: 8192 pending: true
	// the handler was stopped: weir: client stopped reading
	// read: connection reset by peer
}

// A shutdown lets streams continue for a while, and cuts them then.
func ExampleServer_Drain() {
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := &weir.Server{Handler: chatter()}
			srv.Timeouts.Drain, srv.Timeouts.Mercy = 10*time.Second, -1
			s := weirtest.Start(t, srv)
			s.Get("/")
			s.Settle()

			report := s.Drain()
			s.Tick(9 * time.Second)
			fmt.Println("running:", srv.Stats().StreamsActive)
			s.Tick(2 * time.Second)
			fmt.Println("cut:", (<-report).Cut)
		})
	}
	example.Run(test)
	// Output:
	// running: 1
	// the handler was stopped: weir: server closed
	// cut: 1
}

// An http.Client can be the client. Its time is the fake clock's.
func ExampleServer_DialContext() {
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			mux := new(weir.Mux)
			mux.HandleFunc("GET /report", func(w *weir.Response, _ *weir.Request) {
				time.Sleep(time.Hour)
				fmt.Fprintln(w, "ready")
			})
			s := weirtest.Start(t, &weir.Server{Handler: mux})
			client := http.Client{Transport: &http.Transport{DialContext: s.DialContext}, Timeout: 2 * time.Hour}
			begin := time.Now()
			res, err := client.Get("http://test/report")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			fmt.Printf("%q %v after %v\n", body, err, time.Since(begin))
		})
	}
	example.Run(test)
	// Output:
	// "ready\n" <nil> after 1h0m0s
}
