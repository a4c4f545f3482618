package plugin_test

import (
	"bytes"
	"fmt"
	"strconv"

	"weir/plugin"
)

func init() {
	plugin.Register("example/upper", plugin.Handler{Unary: upper, Doc: "the body in upper case"})
	plugin.Register("example/count", plugin.Handler{Stream: count, Doc: "counts to n, a line each", Limit: 100})
}

// upper writes its whole answer; the server sends it with its length.
func upper(c plugin.Call, r plugin.Reply) error {
	if len(c.Body()) == 0 {
		r.SetStatus(400)
	}
	_, err := r.Write(bytes.ToUpper(c.Body()))
	return err
}

// count sends its chunks as they come. A failed Send is how it learns that nobody listens any more.
func count(c plugin.Call, s plugin.Sink) error {
	n, err := strconv.Atoi(c.Query("n"))
	if err != nil {
		s.SetStatus(400)
		return s.Send([]byte("n must be a number\n"))
	}
	var line []byte
	for i := range n {
		line = append(strconv.AppendInt(line[:0], int64(i+1), 10), '\n')
		if err := s.Send(line); err != nil {
			return err
		}
	}
	return nil
}

// query is a Call for a test: it embeds the interface and has only what the handler asks for.
type query struct {
	plugin.Call
	n string
}

func (q query) Query(string) string { return q.n }

// printer is a Sink that prints its chunks.
type printer struct{ plugin.Sink }

func (printer) Send(p []byte) error {
	_, err := fmt.Printf("%s", p)
	return err
}

func Example() {
	h, ok := plugin.Lookup("example/count")
	fmt.Println(ok, h.Limit, h.Doc)
	fmt.Println(h.Stream(query{n: "3"}, printer{}))
	// Output:
	// true 100 counts to n, a line each
	// 1
	// 2
	// 3
	// <nil>
}
