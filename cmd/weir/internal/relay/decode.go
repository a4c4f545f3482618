package relay

import (
	"bufio"
	"compress/gzip"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"weir"
	"weir/cmd/weir/internal/dialect"
	"weir/http1"
	"weir/reactor"
)

// This file is request bodies with a content coding (G8): agents send long ones
// with gzip or zstd. They are decoded on a goroutine, piece by piece, and each
// piece is then what any other body's is: it counts for limits.body, is looked
// at, and is relayed while the rest arrives.

const (
	mostCodings  = 2         // that a body may have, one within the other
	codedQueue   = segment   // bytes of a coded body that wait to be decoded; with more the client waits
	decodeWindow = 8 << 20   // the largest window of zstd, as RFC 9659 has it
	decodeMemory = 128 << 20 // beyond what any window needs
)

// takeCodings returns the content codings of a request's body, in the order in
// which they were applied, or a fault if it has one that is not known. The field
// is removed: what is passed on does not have them.
func takeCodings(r *weir.Request) (codings []string, fault *dialect.Fault) {
	if r.Header().View("Content-Encoding") == nil {
		return nil, nil
	}
	for _, line := range r.Header().Values("Content-Encoding") {
		for element := range http1.Elements([]byte(line)) {
			switch {
			case is(element, "identity"):
			case is(element, "gzip"), is(element, "x-gzip"):
				codings = append(codings, "gzip")
			case is(element, "zstd"):
				codings = append(codings, "zstd")
			default:
				return nil, dialect.BadCoding(string(element))
			}
		}
	}
	if len(codings) > mostCodings {
		return nil, dialect.BadCoding("list of more than two")
	}
	r.Header().Del("Content-Encoding")
	return codings, nil
}

// decoder decodes one request's body. Its methods but run and Read are called on
// the loop.
type decoder struct {
	u       *upload
	codings []string
	held    bool // the upload takes no more for now
	running bool // it is taking a piece
	size    int  // bytes that have come, coded

	mu      sync.Mutex
	changed sync.Cond
	queue   []byte // coded bytes that were not read
	ended   bool   // no more will come
	stopped bool   // nobody wants what is decoded
	full    bool   // the client waits until the queue is empty
	given   bool   // piece is the loop's

	piece [segment]byte
	n     int
	err   error
}

func newDecoder(u *upload, codings []string) *decoder {
	d := &decoder{u: u, codings: codings}
	d.changed.L = &d.mu
	go d.run()
	return d
}

// write takes a piece of the coded body, or its end.
func (d *decoder) write(p []byte, ended bool) {
	d.size += len(p)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue, d.ended = append(d.queue, p...), d.ended || ended
	if len(d.queue) > codedQueue && !d.full {
		d.full = true
		d.u.f.x.PauseBody()
	}
	d.changed.Broadcast()
}

// waiting is the memory that is used.
func (d *decoder) waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return cap(d.queue) + segment
}

// stop ends the decoding.
func (d *decoder) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	d.changed.Broadcast()
}

// hold and proceed are PauseBody and ResumeBody for what is decoded.
func (d *decoder) hold() { d.held = true }

func (d *decoder) proceed() {
	d.held = false
	if d.running {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.given = false
	d.changed.Broadcast()
}

// Run is a task: a piece is decoded.
func (d *decoder) Run() {
	u := d.u
	if u.f.over {
		return
	}
	if d.err != nil && d.err != io.EOF {
		u.f.refuse(dialect.Invalid("", "invalid_content_encoding", "We could not decode the body of your request as its Content-Encoding says."))
		return
	}
	d.running, d.held = true, false
	u.take(d.piece[:d.n], d.err)
	d.running = false
	if !d.held && !u.f.over {
		d.proceed()
	}
}

// resumed is a task: the queue is empty.
type resumed decoder

func (d *resumed) Run() {
	if !d.u.f.over {
		d.u.f.x.ResumeBody()
	}
}

// run decodes, on a goroutine of its own.
func (d *decoder) run() {
	loop := d.u.f.loop
	r, free, err := d.open()
	defer free()
	for {
		d.n = 0
		for err == nil && d.n < len(d.piece) {
			var n int
			n, err = r.Read(d.piece[d.n:])
			d.n += n
		}
		if d.err = err; !d.give(loop) {
			return
		}
	}
}

// give hands a piece to the loop, and waits until it takes another. It returns
// false if there will be no other.
func (d *decoder) give(loop *reactor.Loop) bool {
	last := d.err != nil
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return false
	}
	d.given = true
	loop.Post(d)
	for d.given && !d.stopped && !last {
		d.changed.Wait()
	}
	return !d.stopped && !last
}

// open opens the codings, the last one first. free frees what they hold.
func (d *decoder) open() (r io.Reader, free func(), err error) {
	r, free = bufio.NewReader(d), func() {}
	for i := len(d.codings) - 1; i >= 0 && err == nil; i-- {
		switch d.codings[i] {
		case "gzip":
			r, err = gzip.NewReader(r)
		case "zstd":
			var z *zstd.Decoder
			z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
				zstd.WithDecoderMaxWindow(decodeWindow), zstd.WithDecoderMaxMemory(decodeMemory))
			if err == nil {
				before := free
				r, free = z, func() { z.Close(); before() }
			}
		}
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF // there was not even a head
	}
	return r, free, err
}

// Read implements io.Reader for the outermost coding.
func (d *decoder) Read(p []byte) (n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue) == 0 && !d.ended && !d.stopped {
		d.changed.Wait()
	}
	if d.stopped || len(d.queue) == 0 {
		return 0, io.EOF
	}
	n = copy(p, d.queue)
	if d.queue = d.queue[n:]; len(d.queue) == 0 {
		d.queue = nil
		if d.full {
			d.full = false
			d.u.f.loop.Post((*resumed)(d))
		}
	}
	return n, nil
}
