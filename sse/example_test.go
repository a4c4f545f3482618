package sse_test

import (
	"fmt"
	"strings"
	"time"

	"weir/sse"
)

func ExampleAppendEvent() {
	var stream []byte
	stream, _ = sse.AppendEvent(stream, &sse.Event{Name: "msg", ID: "42", Data: []byte("hello")})
	stream, _ = sse.AppendEvent(stream, &sse.Event{Retry: 5 * time.Second})
	stream = sse.AppendComment(stream, "keepalive")
	stream, err := sse.AppendEvent(stream, &sse.Event{ID: "42\ndata: steal"})
	fmt.Print(string(stream))
	fmt.Println(err)
	// Output:
	// event: msg
	// id: 42
	// data: hello
	//
	// retry: 5000
	//
	// : keepalive
	//
	// sse: event id contains CR, LF or NUL
}

func ExampleRead() {
	body := strings.NewReader("data: Hel\n\ndata: lo\n\ndata: [DO")
	for ev, err := range sse.Read(body) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Printf("%s\n", ev.Data)
	}
	// Output:
	// Hel
	// lo
	// sse: stream ended within an event
}

func ExampleDecoder() {
	var d sse.Decoder
	for _, piece := range []string{"data: Hel", "lo\n\ndata: wor", "ld\n", "\n"} {
		for p := []byte(piece); ; {
			m, n, err := d.Next(p)
			if err != nil {
				fmt.Println(err)
				return
			}
			if m == nil {
				break // needs the next piece
			}
			fmt.Printf("%s\n", m.Data)
			p = p[n:]
		}
	}
	fmt.Println(d.Close())
	// Output:
	// Hello
	// world
	// <nil>
}

func ExampleFramer() {
	var f sse.Framer
	for _, piece := range []string{"data: a\n\nda", "ta: b\n\n: ping\n\ndata: [DONE]\n\n"} {
		for p := []byte(piece); len(p) > 0; {
			n, complete := f.Next(p)
			fmt.Printf("%q complete %v", p[:n], complete)
			if complete {
				fmt.Printf(" data %v done %v", f.HasData(), string(f.ShortData()) == "[DONE]")
			}
			fmt.Println()
			p = p[n:]
		}
	}
	// Output:
	// "data: a\n\n" complete true data true done false
	// "da" complete false
	// "ta: b\n\n" complete true data true done false
	// ": ping\n\n" complete true data false done false
	// "data: [DONE]\n\n" complete true data true done true
}
