package h1

import "sync/atomic"

// Progress is how far a response has come. It is written under the output's
// lock and may be read without it.
type Progress struct{ state atomic.Uint32 }

// A Stage is a value of Progress.
//
//	Building ──> Committed ──> Whole
//	   │  └─> Fixed ─^   └───> Broken
//	   └────────┴────────────> Lost
type Stage uint32

const (
	Building  Stage = iota
	Fixed           // status and fields cannot be changed any more, and are not sent yet
	Committed       // the head is written
	Whole           // ended: no byte may be added any more
	Broken          // ended before its last byte: the connection is lost
	Lost            // as above, before its head
)

// Stage returns the current one.
func (p *Progress) Stage() Stage { return Stage(p.state.Load()) }

// Become moves the response on. The output is locked.
func (p *Progress) Become(s Stage) { p.state.Store(uint32(s)) }

// Over reports whether no byte may be added any more.
func (p *Progress) Over() bool { return p.Stage() >= Whole }

// Final reports whether it is too late for another response in its place.
func (p *Progress) Final() bool { return p.Stage() >= Committed }

// Begun reports whether the head is written.
func (p *Progress) Begun() bool {
	s := p.Stage()
	return s >= Committed && s != Lost
}

// CutOff reports whether the response ended before its last byte.
func (p *Progress) CutOff() bool { return p.Stage() > Whole }
