package relay

// This file counts what a request keeps in memory, against limits.bodies of all
// of them.

// fewBytes are not counted, so that an ordinary request does not touch what all
// loops share. limits.streams bounds how many there are of them.
const fewBytes = 4 << 10

// account reports to the server how much memory the request keeps by now. It
// returns false if that is too much: what came last must be dropped.
func (f *flow) account() bool {
	u, a := &f.upload, &f.attempt
	n := int64(u.kept.size()+cap(u.renamed)+cap(a.held)) + u.aside
	if w := a.rewriter; w != nil {
		n += int64(cap(w.event))
	}
	if f.refusal != nil {
		n += int64(f.refusal.size + cap(f.refusal.body))
	}
	if u.decoder != nil {
		n += int64(u.decoder.waiting())
	}
	if u.long && a.call != nil {
		n += int64(a.call.Pending())
	}
	if n <= fewBytes {
		n = 0
	}
	if n == f.noted {
		return true
	}
	if !f.r.Keep(n) {
		return f.over // it was already freed
	}
	f.noted = n
	return true
}
