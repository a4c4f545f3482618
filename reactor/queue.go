package reactor

// A queue holds what a loop has postponed. Its memory is reused.
type queue[T any] struct{ items, spare []T }

func (q *queue[T]) len() int { return len(q.items) }

func (q *queue[T]) add(x T) { q.items = append(q.items, x) }

// drain calls f for each item. What is added meanwhile waits for the next
// drain.
func (q *queue[T]) drain(f func(T)) {
	if len(q.items) > 0 { // as a rule not: this much is inlined
		q.empty(f)
	}
}

func (q *queue[T]) empty(f func(T)) {
	todo := q.items
	q.items = q.spare[:0]
	for _, x := range todo {
		f(x)
	}
	clear(todo) // or a connection that has closed would be kept
	q.spare = todo
}
