package natsbroker

import (
	"sync"
	"time"
)

const workerCount = 8

// workers catch up for followers, a page at a time, so that topics with a long
// history do not hold up others, and ten thousand topics after a lost connection do
// not ask the server at once.
type workers struct {
	mu     sync.Mutex
	more   sync.Cond
	queue  []*follower
	closed bool
	done   sync.WaitGroup
}

func (w *workers) start() {
	w.more.L = &w.mu
	for range workerCount {
		w.done.Go(w.work)
	}
}

// add has a worker call catchUp.
func (w *workers) add(f *follower) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.queue = append(w.queue, f)
		w.more.Signal()
	}
}

func (w *workers) work() {
	for {
		w.mu.Lock()
		for len(w.queue) == 0 && !w.closed {
			w.more.Wait()
		}
		if w.closed {
			w.mu.Unlock()
			return
		}
		f := w.queue[0]
		w.queue[0] = nil
		w.queue = w.queue[1:]
		w.mu.Unlock()
		switch again, after := f.catchUp(); {
		case again && after > 0:
			time.AfterFunc(after, func() { w.add(f) })
		case again:
			w.add(f)
		}
	}
}

// close returns when the workers have ended.
func (w *workers) close() {
	w.mu.Lock()
	w.closed, w.queue = true, nil
	w.more.Broadcast()
	w.mu.Unlock()
	w.done.Wait()
}
