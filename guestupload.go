package weir

import (
	"errors"
	"io"

	"weir/reactor"
)

// uploadPiece is how much of a body a BodyReceiver is shown at a time.
const uploadPiece = 16 << 10

// guestUpload is the body of a guest's request on its way to a LoopHandler. A
// goroutine reads a piece when the loop wants one, and shows it to the loop: so
// there is never more than one on the way, and none is read during a pause.
//
//	resting ──goOn──> reading ──Run──> arrived ──show──> resting
//	                                                └──> whole, or over
//
// All but the piece is the loop's own, and so is the piece while it has
// arrived.
type guestUpload struct {
	g      *visit
	stage  uploading
	paused bool
	more   chan struct{} // a token is the wish for a piece; closed when there will be none

	piece []byte
	n     int
	err   error // behind the piece
}

type uploading uint8

const (
	uploadResting uploading = iota
	uploadReading
	uploadArrived
	uploadWhole // the last piece was shown
	uploadOver  // there will be no other
)

func newGuestUpload(g *visit) *guestUpload {
	return &guestUpload{g: g, more: make(chan struct{}, 1)}
}

// start begins to read, unless the handler has paused it.
func (u *guestUpload) start() {
	go u.read()
	u.goOn()
}

// read is the goroutine. It ends with the body or the request.
func (u *guestUpload) read() {
	u.piece = make([]byte, uploadPiece)
	for range u.more {
		u.n, u.err = u.g.body.read(u.piece)
		u.g.home.Post(u)
		if u.err != nil {
			return
		}
	}
}

// goOn wants the next piece, or shows the one that has arrived, unless paused.
func (u *guestUpload) goOn() {
	switch {
	case u.paused, u.g.ex.over():
	case u.stage == uploadResting:
		u.stage = uploadReading
		u.more <- struct{}{}
	case u.stage == uploadArrived:
		u.g.home.Later((*showTask)(u)) // never within a method of the exchange
	}
}

// Run is the arrival of a piece as a task of the loop. That the client has
// disconnected is not held back by a pause.
func (u *guestUpload) Run() {
	switch {
	case u.stage != uploadReading:
	case errors.Is(u.err, ErrClientGone):
		u.stage = uploadOver
		u.g.lose(u.err)
	default:
		u.stage = uploadArrived
		u.show()
	}
}

// show passes on what has arrived.
func (u *guestUpload) show() {
	if u.paused || u.stage != uploadArrived {
		return
	}
	ex := u.g.ex
	switch u.err {
	case nil:
		u.stage = uploadResting
	case io.EOF:
		u.stage = uploadWhole
	default:
		u.stage = uploadOver
	}
	if u.n > 0 {
		ex.loop.data(u.piece[:u.n])
	}
	switch u.stage {
	case uploadWhole:
		ex.loop.endBody(io.EOF)
	case uploadOver:
		u.g.spoil(u.err)
	default:
		u.goOn()
	}
}

// stop ends the goroutine.
func (u *guestUpload) stop() {
	if u.stage < uploadWhole {
		u.stage = uploadOver
		close(u.more)
	}
}

// showTask shows a piece behind the turn in which its pause has ended.
type showTask guestUpload

func (t *showTask) Run() { (*guestUpload)(t).show() }

// The carrier's part of it.

func (g *visit) eventLoop() *reactor.Loop { return g.home }

func (g *visit) receiveBody(ex *exchange) {
	if g.upload == nil {
		ex.loop.endBody(io.EOF)
		return
	}
	g.upload.start()
}

func (g *visit) pauseBody(*exchange) {
	if g.upload != nil {
		g.upload.paused = true
	}
}

func (g *visit) continueBody(ex *exchange) {
	u := g.upload
	if u == nil || !u.paused {
		return
	}
	if u.paused = false; ex.loop.receiver != nil { // else start will
		u.goOn()
	}
}

func (g *visit) bodyArrived(*exchange) bool {
	return g.upload == nil || g.upload.stage == uploadWhole
}
