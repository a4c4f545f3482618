package conform

import (
	"fmt"
	"time"
)

// cancelCases are item 130: the server must notice a disconnect without
// writing, and report it once. They count in /stats and run alone.
func cancelCases() []Case {
	const (
		running = "/tokens?n=1000000&interval=20ms" // something is written now and then
		silent  = "/slow-head?delay=1h"             // nothing is ever written
		endless = "/burst?n=1000000000&size=1024"   // blocked by the client
		clock   = "/clock?interval=1h&heartbeat=1h" // a generator that waits
		numbers = "/numbers?n=1000000000000000000"  // a pump that is paused by the client
		sse     = "/sse?n=1000000&interval=20ms"    // a generator
	)
	return []Case{
		c(130, "close of a running stream", "L4", goneFrom(running, reset)).byItself(),
		c(130, "close of a running generator", "L4", goneFrom(sse, reset)).byItself(),
		c(130, "close before the first byte", "L4", goneFrom(silent, reset)).byItself(),
		c(130, "close of a waiting generator", "L4", goneFrom(clock, reset)).byItself(),
		c(130, "close of a blocked stream", "L4", goneFrom(endless, reset)).byItself(),
		c(130, "close of a paused pump", "L4 L5", goneFrom(numbers, reset)).byItself(),
		c(130, "half-close of a running stream", "L6", goneFrom(running, shutdown)).byItself(),
		c(130, "half-close before the first byte", "L6", goneFrom(silent, shutdown)).byItself(),
		c(130, "half-close of a blocked stream", "L6", goneFrom(endless, shutdown)).byItself(),
		c(130, "close behind a pipelined request", "L10", goneFrom(running+" HTTP/1.1\r\nHost: a\r\n\r\nGET /plaintext", reset)).byItself(),
	}
}

// goneFrom opens the stream on another connection, disconnects with leave, and
// wants one more cancellation and no active stream.
func goneFrom(target string, leave Step) Step {
	return func(p *peer) error {
		idle := func(s stats) bool { return s.StreamsActive == 0 }
		if err := pollStats(p, "no active stream before", idle); err != nil {
			return err
		}
		before, err := readStats(p)
		if err != nil {
			return err
		}
		q := &peer{target: p.target}
		defer q.close()
		if err := do(smallWindow, send(msg("GET "+target+" HTTP/1.1", host)))(q); err != nil {
			return err
		}
		if err := pollStats(p, "one active stream", func(s stats) bool { return s.StreamsActive == 1 }); err != nil {
			return err
		}
		// Some round trips in which nothing is cancelled, and an unread stream
		// fills up.
		if err := staysAt(p, before.StreamsCancelled); err != nil {
			return err
		}
		if err := leave(q); err != nil {
			return err
		}
		want := fmt.Sprintf("no active stream and %d cancelled", before.StreamsCancelled+1)
		if err := pollStats(p, want, func(s stats) bool { return idle(s) && s.StreamsCancelled > before.StreamsCancelled }); err != nil {
			return err
		}
		return staysAt(p, before.StreamsCancelled+1)
	}
}

// staysAt polls some more times: a cancellation that is reported twice shows a
// little later.
func staysAt(p *peer, cancelled int) error {
	for range 10 {
		now, err := readStats(p)
		if err != nil {
			return err
		}
		if now.StreamsCancelled != cancelled {
			return fmt.Errorf("got %d streams cancelled, want %d", now.StreamsCancelled, cancelled)
		}
		if err := quiet(2 * time.Millisecond)(p); err != nil {
			return err
		}
	}
	return nil
}
