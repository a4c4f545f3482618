package tour

import (
	"fmt"
	"strconv"
	"time"

	"weir"
)

// query reads a request's parameters, each within bounds. It keeps the first
// error, so that a handler checks once, when it has read them all.
type query struct {
	get func(name string) string // "" = not given
	err error
}

func queryOf(r *weir.Request) *query { return &query{get: r.Query().Get} }

// number returns an integer from least to most.
func (q *query) number(name string, standard, least, most int64) int64 {
	text := q.get(name)
	if text == "" {
		return standard
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		q.fail(name, text, fmt.Sprintf("a number from %d to %d", least, most))
		return standard
	}
	return n
}

// duration returns a duration from least to most.
func (q *query) duration(name string, standard, least, most time.Duration) time.Duration {
	text := q.get(name)
	if text == "" {
		return standard
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		q.fail(name, text, fmt.Sprintf("a duration from %v to %v", least, most))
		return standard
	}
	return d
}

// flag is 0 or 1.
func (q *query) flag(name string) bool { return q.number(name, 0, 0, 1) == 1 }

func (q *query) fail(name, got, want string) {
	if q.err == nil {
		q.err = fmt.Errorf("parameter %s: got %.40q, want %s", name, got, want)
	}
}

// refused responds with 400 if a parameter was wrong, and reports that.
func (q *query) refused(w *weir.Response) bool {
	if q.err != nil {
		w.Error(400, q.err.Error())
	}
	return q.err != nil
}
