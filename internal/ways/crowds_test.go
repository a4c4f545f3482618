package ways

import (
	"context"
	"io"
	"sync"

	"weir"
)

// crowds are responses that are sent what many are: here one, since the order of what is noted is that of one.
func crowds() []aCase {
	return []aCase{
		{name: "a batch", serve: func(m *weir.Mux, r *record) func(p *peer) {
			streams := make(chan *weir.Stream, 1)
			m.HandleFunc("/", func(w *weir.Response, _ *weir.Request) {
				s := w.Stream()
				s.Detach()
				streams <- s
				_ = s.Commit()
			})
			return func(p *peer) {
				res := p.open(context.Background(), "GET", "/", nil)
				s := await(p, streams)
				var b weir.Batch
				for _, chunk := range []string{"one", "two"} {
					if err := b.Send(s, []byte(chunk)); err != nil {
						r.note("batch", "%s", name(err))
					}
				}
				b.Flush()
				_ = s.Close()
				p.read(res)
			}
		}},
		{name: "a group", serve: func(m *weir.Mux, r *record) func(p *peer) {
			c := &crowd{r: r}
			m.HandleFunc("/", func(w *weir.Response, _ *weir.Request) {
				r.promise(1)
				c.group.Feed(w, &crowdMember{crowd: c})
			})
			return func(p *peer) {
				res := p.open(context.Background(), "GET", "/", nil)
				c.mu.Lock()
				c.news = []string{"one", "two"}
				c.mu.Unlock()
				c.group.Wake()
				p.read(res)
			}
		}},
	}
}

type crowd struct {
	r     *record
	group weir.Group
	mu    sync.Mutex
	news  []string
}

type crowdMember struct {
	*crowd
	seen int
}

func (m *crowdMember) Next(dst []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == len(m.news) {
		return dst, weir.ErrNotReady
	}
	dst = append(dst, m.news[m.seen]...)
	if m.seen++; m.seen == len(m.news) {
		return dst, io.EOF
	}
	return dst, nil
}

func (m *crowdMember) Close(cause error) {
	m.r.note("source", "closed: %s", name(cause))
	m.r.kept()
}
