// Package weirtest tests handlers of weir against clients that disconnect,
// stall, and read slowly: in memory, in no time, and with the same result each
// time.
//
// What a streaming handler gets wrong happens when the client resets the
// connection between two chunks, when it stops reading and the handler waits in
// Send, or when a minute passes without a byte. With sockets and a real clock
// such a test sleeps, polls, and fails now and then. Here it does neither:
//
//	func TestDisconnect(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			var cause error
//			mux := new(weir.Mux)
//			mux.HandleFunc("GET /count", func(w *weir.Response, r *weir.Request) {
//				r.OnClose(func(err error) { cause = err })
//				stream := w.Stream()
//				for i := 0; stream.Send(fmt.Appendf(nil, "%d\n", i)) == nil; i++ {
//					time.Sleep(100 * time.Millisecond)
//				}
//			})
//			s := weirtest.Start(t, &weir.Server{Handler: mux})
//
//			c := s.Get("/count")
//			s.Tick(250 * time.Millisecond)
//			if got := c.Response().Body; got != "0\n1\n2\n" {
//				t.Errorf("got %q after 250 ms", got)
//			}
//			c.Reset() // in the middle of the stream
//			s.Settle()
//			if !errors.Is(cause, weir.ErrClientGone) {
//				t.Errorf("got cause %v, want %v", cause, weir.ErrClientGone)
//			}
//		})
//	}
//
// # What runs
//
// The server is the real one: its event loop, its parser, its write side, its
// timers and its limits. Only the kernel below it is replaced, by one in memory
// that behaves like Linux's with edge-triggered epoll. The clock is that of
// testing/synctest: it stands still while anything can run, and jumps to the
// next timer when all goroutines wait. So a timeout of 30 s takes no time, and
// one of 30 s passes before one of 31 s, however busy the machine is.
//
// A [Client] does what a peer can do to a server: it sends bytes unchanged
// (Send), takes only so many (SetWindow), shuts down its write side
// (CloseWrite), closes or resets the connection (Close, Reset). Its view is
// exact: every byte that was sent (Received), the response so far (Response),
// the number of write(2) calls (Writes), and whether the connection ended by
// FIN or RST (Err). It is also a [net.Conn], so that an [http.Client] or a
// WebSocket library can drive it ([Server.DialContext]).
//
// # Upstreams
//
// A handler that calls other servers through package client, on its loop, finds
// them here, too: [Server.Listen] makes the test the server at an address. It
// reads the handler's request, responds in pieces, resets the connection in the
// middle, or lets connecting hang, at the moment that the test names. The
// gateway's relay is tested this way.
//
// # Scenario files
//
// [Play] plays conversations from files: what clients send and do, and what
// comes back then, byte for byte. They read like a protocol, need no code per
// case, and are rewritten by WEIRTEST_UPDATE=1. [PlayCut] plays them with the
// input cut at every byte. weir's own connection is tested this way: see
// testdata/conn in its repository.
//
// # What is deterministic
//
// After Settle or Tick the state is the same in each run: with one loop all
// events have one order, the kernel has no buffers but the client's window, and
// no time passes unasked. What the Go scheduler decides remains open: the order
// in which two handlers that can both run do so. Shutdown aborts what is still
// running at random moments within Timeouts.Mercy; with a Mercy of -1 it does
// so at once.
//
// # What fails the test
//
// [Start] registers a cleanup. When the test's function has returned, it shuts
// the server down, aborts what is running, and reports with its stack each
// goroutine of the bubble that was started after the server and has not ended
// within a minute of the fake clock: a handler that does not notice the
// disconnect, a producer that is never stopped. It also reports connections and
// streams that are still open, and a source that was passed to [Server.Source]
// and not closed.
//
// If goroutines have leaked, [synctest.Test] then panics, since the bubble
// cannot end; the report precedes that.
//
// # Rules
//
// Make everything that the handlers wait for inside of the bubble: channels,
// contexts, timers, and the handlers' own state. A goroutine that waits for
// something outside (a socket, a file, a channel that was made before
// synctest.Test, another process) looks busy, and Settle waits for it. Let
// handlers call fakes in memory instead.
//
// Methods that settle must be called on the test's own goroutine: those of
// [Server] except the ones that its documentation names, and those of [Client]
// whose documentation mentions it. A Server may be used until the bubble ends,
// a Client also after its connection has ended. A bubble may have several
// Servers; each has a kernel of its own.
//
// # What is not covered
//
// The network: no latency, no loss, no segments, and no Nagle. The operating
// system's sockets: listening, accepting, addresses, running out of
// descriptors. Speed, and what several loops do in parallel. For these use a
// weir.Server on "127.0.0.1:0", and the race detector, which works here as
// well.
package weirtest
