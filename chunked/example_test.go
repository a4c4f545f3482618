package chunked_test

import (
	"fmt"

	"weir/chunked"
)

func ExampleDecoder() {
	d := chunked.Decoder{Trailer: func(name, value []byte) { fmt.Printf("trailer %s = %s\n", name, value) }}
	src := []byte("5\r\nhello\r\n7;ext=v\r\n, world\r\n0\r\nX-Sum: 1\r\n\r\nNEXT")
	for !d.Done() {
		data, n, err := d.Next(src)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%q\n", data)
		src = src[n:]
	}
	fmt.Printf("rest %q\n", src)
	// Output:
	// "hello"
	// ", world"
	// trailer X-Sum = 1
	// ""
	// rest "NEXT"
}

func ExampleAppendChunk() {
	var frame []byte
	for _, token := range []string{"Hello", "", " world"} {
		frame = chunked.AppendChunk(frame, []byte(token))
	}
	fmt.Printf("%q\n", chunked.AppendEnd(frame))
	// Output: "5\r\nHello\r\n6\r\n world\r\n0\r\n\r\n"
}

func ExampleAppendTrailers() {
	frame, err := chunked.AppendTrailers(nil, chunked.Field{Name: "Server-Timing", Value: "ttft;dur=12"})
	fmt.Printf("%q %v\n", frame, err)
	frame, err = chunked.AppendTrailers(nil, chunked.Field{Name: "X-Error", Value: "a\r\nSet-Cookie: b"})
	fmt.Printf("%q %v\n", frame, err)
	// Output:
	// "0\r\nServer-Timing: ttft;dur=12\r\n\r\n" <nil>
	// "" chunked: trailer field refused: "X-Error": control character in the value
}
