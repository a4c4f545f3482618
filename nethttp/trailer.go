package nethttp

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// declareTrailers notes the names in the response's Trailer fields.
func (w *response) declareTrailers(lists []string) {
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			if name = textproto.TrimString(name); name != "" {
				w.declared = append(w.declared, http.CanonicalHeaderKey(name))
			}
		}
	}
}

// announceTrailers makes weir name the declared trailers in the head. Those
// that must not be trailers are omitted.
func (w *response) announceTrailers() {
	for i, name := range w.declared {
		if w.stream.SetTrailer(name, "") != nil {
			w.declared[i] = ""
		}
	}
}

// sendTrailers sets the trailers as they are now on weir's stream. Those with
// http.TrailerPrefix come last, and are not announced.
func (w *response) sendTrailers() {
	for _, name := range w.declared {
		if values := w.header[name]; name != "" && values != nil {
			w.setTrailer(name, values)
		}
	}
	var prefixed []string
	for name := range w.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			prefixed = append(prefixed, name)
		}
	}
	if prefixed == nil || w.stream.Commit() != nil {
		return
	}
	slices.Sort(prefixed)
	for _, name := range prefixed {
		w.setTrailer(strings.TrimPrefix(name, http.TrailerPrefix), w.header[name])
	}
}

// setTrailer sets a trailer; one that cannot be written is omitted, as in
// net/http, and so are all of a response that has failed.
func (w *response) setTrailer(name string, values []string) {
	_ = w.stream.SetTrailer(name, lineEnds.Replace(strings.Join(values, ", ")))
}
