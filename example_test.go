package weir_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weir"
	"weir/sse"
)

// show serves mux, makes the requests and prints the answers' bodies.
func show(mux *weir.Mux, paths ...string) {
	srv := &weir.Server{Handler: mux}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Shutdown(context.Background())
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, path := range paths {
		res, err := client.Get("http://" + srv.Addrs()[0].String() + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Printf("%s%v\n", text, err)
	}
}

func Example() {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /hello/{name}", func(w *weir.Response, r *weir.Request) {
		fmt.Fprintf(w, "Hello, %s!\n", r.PathValue("name"))
	})
	show(mux, "/hello/weir")
	// Output:
	// Hello, weir!
	// <nil>
}

// Push: any goroutine sends. Send waits when the client is behind, and fails
// when it has left.
func ExampleResponse_Stream() {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /words", func(w *weir.Response, r *weir.Request) {
		stream := w.Stream()
		for word := range strings.FieldsSeq("one token at a time") {
			if err := stream.Send([]byte(word + "\n")); err != nil {
				return
			}
		}
	})
	show(mux, "/words")
	// Output:
	// one
	// token
	// at
	// a
	// time
	// <nil>
}

// A detached stream lives on when its handler has returned, until somebody
// closes it.
func ExampleStream_Detach() {
	streams := make(chan *weir.Stream, 1)
	mux := new(weir.Mux)
	mux.HandleFunc("GET /later", func(w *weir.Response, r *weir.Request) {
		stream := w.Stream()
		stream.Detach()
		streams <- stream
	})
	go func() {
		stream := <-streams
		_ = stream.Send([]byte("from elsewhere\n")) // Close says the same
		_ = stream.Close()                          // the client may have left
	}()
	show(mux, "/later")
	// Output:
	// from elsewhere
	// <nil>
}

// Pump: the event loop pulls chunks as fast as the client takes them. Between
// two pulls a stream is its state and a function, and costs no goroutine.
func ExampleNextChunk() {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /countdown", func(w *weir.Response, r *weir.Request) {
		w.StreamFrom(weir.NextChunk(3, func(n *int, dst []byte, cancelled bool) ([]byte, error) {
			if cancelled {
				return dst, nil // the client has disconnected: free what the state holds
			}
			if *n == 0 {
				return dst, io.EOF
			}
			dst = append(strconv.AppendInt(dst, int64(*n), 10), '\n')
			*n--
			return dst, nil
		}))
	}).Inline()
	show(mux, "/countdown")
	// Output:
	// 3
	// 2
	// 1
	// <nil>
}

// Paced keeps two chunks at least so far apart.
func ExamplePaced() {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /slowly", func(w *weir.Response, r *weir.Request) {
		source := weir.NextChunk(0, func(n *int, dst []byte, _ bool) ([]byte, error) {
			if *n++; *n > 5 {
				return dst, io.EOF
			}
			return append(dst, '.'), nil
		})
		w.StreamFrom(weir.Paced(source, 5*time.Millisecond))
	}).Inline()
	begin := time.Now()
	show(mux, "/slowly")
	fmt.Println(time.Since(begin) >= 20*time.Millisecond)
	// Output:
	// .....<nil>
	// true
}

// Generator: a range-over-func sequence yields chunks. When the client leaves,
// yield returns false, and deferred calls free what the sequence holds.
func ExampleResponse_StreamSeq() {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /lines", func(w *weir.Response, r *weir.Request) {
		_ = w.StreamSeq(func(yield func([]byte, error) bool) { // nothing to do about an error: the client has been told, or has left
			defer fmt.Println("freed")
			for line := range bytes.Lines([]byte("first\nsecond\n")) {
				if !yield(line, nil) {
					return
				}
			}
		})
	})
	show(mux, "/lines")
	// Output:
	// freed
	// first
	// second
	// <nil>
}

// Server-sent events, with ids to go on from when the client reconnects, and a
// heartbeat while there is nothing to send.
func ExampleEvents() {
	mux := new(weir.Mux)
	mux.Handle("GET /events", weir.Events(func(r *weir.Request) iter.Seq2[*sse.Event, error] {
		last, _ := strconv.Atoi(r.LastEventID()) // 0 for a client that is new
		return func(yield func(*sse.Event, error) bool) {
			for i := last + 1; i <= 2; i++ {
				if !yield(&sse.Event{ID: strconv.Itoa(i), Name: "count", Data: fmt.Appendf(nil, "%d of 2", i)}, nil) {
					return
				}
			}
		}
	}, weir.EventOptions{Heartbeat: 15 * time.Second}))
	show(mux, "/events")
	// Output:
	// event: count
	// id: 1
	// data: 1 of 2
	//
	// event: count
	// id: 2
	// data: 2 of 2
	//
	// <nil>
}

// A connection that switches to another protocol is a net.Conn.
func ExampleResponse_Upgrade() {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /upper", func(w *weir.Response, r *weir.Request) {
		p, err := w.Upgrade("upper")
		if err != nil {
			w.Error(426, err.Error())
			return
		}
		for lines := bufio.NewScanner(p); lines.Scan(); {
			fmt.Fprintln(p, strings.ToUpper(lines.Text()))
		}
	})
	srv := &weir.Server{Handler: mux}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Shutdown(context.Background())
	req, _ := http.NewRequest("GET", "http://"+srv.Addrs()[0].String()+"/upper", nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "upper")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	conn := res.Body.(io.ReadWriteCloser)
	defer conn.Close()
	fmt.Fprintln(conn, "hello")
	line, _ := bufio.NewReader(conn).ReadString('\n')
	fmt.Println(res.Status)
	fmt.Print(line)
	// Output:
	// 101 Switching Protocols
	// HELLO
}

// OnHeaders decides before a body is read.
func ExampleServer_onHeaders() {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /secret", func(w *weir.Response, r *weir.Request) { fmt.Fprintln(w, "a secret") })
	srv := &weir.Server{
		Handler: mux,
		OnHeaders: func(w *weir.Response, r *weir.Request) bool {
			if r.Header().Has("Authorization") {
				return true
			}
			w.Error(401, "who are you?")
			return false
		},
	}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Shutdown(context.Background())
	res, err := http.Get("http://" + srv.Addrs()[0].String() + "/secret")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	fmt.Println(res.Status)
	// Output: 401 Unauthorized
}
