package compress

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Codings returns the names of the codings, the one that costs least for what
// it saves first.
func Codings() []string { return []string{"zstd", "br", "gzip"} }

// writer is an encoder of any of the libraries.
type writer interface {
	io.WriteCloser
	Reset(w io.Writer)
	Flush() error
}

// newWriter returns a new encoder. That of a stream keeps less, since it stays
// as long as the stream.
func newWriter(name string, stream bool) writer {
	switch name {
	case "gzip":
		level := gzip.DefaultCompression
		if stream {
			level = gzip.BestSpeed
		}
		w, _ := gzip.NewWriterLevel(nil, level) // the level is one that there is
		return w
	case "br":
		if stream {
			return brotli.NewWriterOptions(nil, brotli.WriterOptions{Quality: 2, LGWin: 16})
		}
		return brotli.NewWriterOptions(nil, brotli.WriterOptions{Quality: 4, LGWin: 20})
	case "zstd":
		window := 1 << 20 // browsers take up to 8 MiB (RFC 9659)
		if stream {
			window = 64 << 10
		}
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(window), zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			panic("compress: zstd's options: " + err.Error())
		}
		return w
	}
	return nil
}

func mustKnow(name string) {
	if !slices.Contains(Codings(), name) {
		panic(fmt.Sprintf("compress: unknown coding %q: want some of zstd, br and gzip", name))
	}
}

// encoder is an encoder of the pool.
type encoder struct {
	writer
	name string
}

// busy counts the encoders of bodies in use, spare has the others: what is idle
// is the garbage collector's.
var (
	busy  atomic.Int64
	spare = map[string]*sync.Pool{"gzip": new(sync.Pool), "br": new(sync.Pool), "zstd": new(sync.Pool)}
)

// takeEncoder returns an encoder for a body; nil if enough are in use.
func takeEncoder(name string) *encoder {
	if busy.Add(1) > int64(4*runtime.GOMAXPROCS(0)) {
		busy.Add(-1)
		return nil
	}
	if e, ok := spare[name].Get().(*encoder); ok {
		return e
	}
	return &encoder{newWriter(name, false), name}
}

func (e *encoder) giveBack() {
	if e == nil {
		return
	}
	busy.Add(-1)
	e.Reset(nil) // it keeps no response
	spare[e.name].Put(e)
}
