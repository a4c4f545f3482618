package ws

import (
	"sync"

	"weir/reactor"
)

// own is the loop of connections that were not given one.
var own ownLoop

// ownLoop is an event loop that runs while it is needed. It is safe for
// concurrent use.
type ownLoop struct {
	mu      sync.Mutex
	reactor *reactor.Reactor // nil while it is not
	users   int
}

// take returns the loop, which runs until each take was followed by a give.
func (o *ownLoop) take() (*reactor.Loop, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reactor == nil {
		r, err := reactor.New(reactor.Config{Loops: 1})
		if err != nil {
			return nil, err
		}
		o.reactor = r
	}
	o.users++
	return o.reactor.Loops()[0], nil
}

// give undoes one take. It may be called on the loop, which then ends on its own.
func (o *ownLoop) give() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.users--; o.users == 0 {
		go o.reactor.Close()
		o.reactor = nil
	}
}
