package weir

import (
	"slices"

	"weir/reactor"
)

// writesPerTurn is how many streams of batches, and how many of groups, a loop
// writes before it looks after its other connections: at some 8 µs each, half a
// millisecond.
const writesPerTurn = 64

// A queue is what a loop has put off, to be done some of it a turn. Only the
// loop uses it.
type queue[T any] struct {
	loop  *reactor.Loop
	items []T
	done  int // of items
}

func (q *queue[T]) len() int { return len(q.items) - q.done }

// add adds items. If there are no others, work is run at the end of this turn;
// else it is going to be.
func (q *queue[T]) add(work reactor.Task, x ...T) {
	if q.len() == 0 {
		q.loop.Later(work)
	}
	q.items = append(q.items, x...)
}

// rest has work run in the next turn if there are items left.
func (q *queue[T]) rest(work reactor.Task) {
	if q.len() > 0 {
		q.loop.Post(work)
	}
}

// pop takes the oldest item, of which there must be one. It gives the room of
// what is done back, once that is most of the queue.
func (q *queue[T]) pop() (x T) {
	x = q.items[q.done]
	clear(q.items[q.done : q.done+1]) // what has ended is not kept
	if q.done++; q.done > len(q.items)/2 {
		q.items, q.done = slices.Delete(q.items, 0, q.done), 0
	}
	return x
}
