// Package tour is what the Go competitors share: the parameters, the frames
// and the statistics of the routes they copy from weir's tour. The HTTP work,
// which is what gets compared, stays in each program.
package tour

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"time"
)

// Hello is the body of /plaintext.
const Hello = "Hello, World!"

// Done is the frame that ends every /tokens stream.
const Done = "data: [DONE]\n\n"

const maxSize = 64 << 10

// Tokens holds the query parameters of /tokens.
type Tokens struct {
	N        int           // frames before Done
	Interval time.Duration // pace
	Size     int           // bytes of data in a frame
	Stamp    bool          // data is t=<unix nanoseconds>, padded to Size
	Chunk    bool          // data is one of OpenAI's chat completion chunks with its time and number in front, padded to Size
}

// ParseTokens reads the parameters through get, which returns "" for an absent
// one. Bad values are errors, absent ones get the tour's defaults.
func ParseTokens(get func(name string) string) (Tokens, error) {
	t := Tokens{N: 64, Interval: 20 * time.Millisecond, Size: 8, Stamp: get("stamp") == "1", Chunk: get("chunk") == "1"}
	var err error
	if s := get("n"); s != "" {
		if t.N, err = strconv.Atoi(s); err != nil || t.N < 0 {
			return t, fmt.Errorf("tour: bad n %q", s)
		}
	}
	if s := get("size"); s != "" {
		if t.Size, err = strconv.Atoi(s); err != nil || t.Size < 0 || t.Size > maxSize {
			return t, fmt.Errorf("tour: bad size %q", s)
		}
	}
	if s := get("interval"); s != "" {
		if t.Interval, err = time.ParseDuration(s); err != nil || t.Interval <= 0 {
			return t, fmt.Errorf("tour: bad interval %q", s)
		}
	}
	return t, nil
}

// AppendFrame appends frame i, from 0, as one SSE event, stamped with the
// current time if requested.
func (t Tokens) AppendFrame(dst []byte, i int) []byte {
	var at int64
	if t.Stamp || t.Chunk {
		at = time.Now().UnixNano()
	}
	return t.AppendFrameMade(dst, i, at)
}

// AppendFrameMade is AppendFrame for a token that was made at that time, in
// unix nanoseconds.
func (t Tokens) AppendFrameMade(dst []byte, i int, at int64) []byte {
	dst = append(dst, "data: "...)
	start := len(dst)
	switch {
	case t.Chunk:
		dst = strconv.AppendInt(append(dst, `{"t":`...), at, 10)
		dst = strconv.AppendInt(append(dst, `,"i":`...), int64(i), 10)
		dst = append(dst, `,"id":"chatcmpl-0","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"`...)
		dst = pad(dst, 'x', start+t.Size-len(chunkEnd))
		dst = append(dst, chunkEnd...)
	case t.Stamp:
		dst = strconv.AppendInt(append(dst, "t="...), at, 10)
		dst = pad(dst, ' ', start+t.Size)
	default:
		dst = pad(dst, 'x', start+t.Size)
	}
	return append(dst, "\n\n"...)
}

const chunkEnd = `"},"finish_reason":null}]}`

// pad fills dst up to a length.
func pad(dst []byte, fill byte, length int) []byte {
	for len(dst) < length {
		dst = append(dst, fill)
	}
	return dst
}

// Stream feeds the frames of t to send at their pace, Done last, until send
// fails or stop is closed. send's argument is valid during the call.
func (t Tokens) Stream(stop <-chan struct{}, send func([]byte) error) {
	tick := time.NewTicker(t.Interval)
	defer tick.Stop()
	var buf []byte
	for i := range t.N {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
		buf = t.AppendFrame(buf[:0], i)
		if send(buf) != nil {
			return
		}
	}
	select {
	case <-tick.C:
		_ = send(append(buf[:0], Done...)) // a client that has disconnected needs no end
	case <-stop:
	}
}

// Stats responds to /stats: bytes in use by heap and stacks. With gc it
// collects twice first, so that pools are also emptied.
func Stats(gc bool) []byte {
	if gc {
		runtime.GC()
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	body, err := json.Marshal(map[string]uint64{
		"heap_bytes":  m.HeapInuse,
		"stack_bytes": m.StackInuse,
		"goroutines":  uint64(runtime.NumGoroutine()),
	})
	if err != nil {
		panic(err) // a map of numbers always encodes
	}
	return body
}

// Listen opens the address in os.Args[1], by default a free loopback port,
// and prints the ready line that the driver waits for.
func Listen(name string) net.Listener {
	addr := "127.0.0.1:0"
	if len(os.Args) > 1 {
		addr = os.Args[1]
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
	fmt.Printf("%s: ready on http://%s\n", name, ln.Addr())
	return ln
}
