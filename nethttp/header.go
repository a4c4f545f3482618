package nethttp

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"weir"
	"weir/http1"
)

// fix sets the status, and the fields as they are now in the order of their
// names, on weir's response; fields that concern this package are processed
// here.
func (w *response) fix(code int) {
	w.written, w.status = true, code
	w.res.SetStatus(code)
	if w.header == nil {
		return
	}
	var store [16]string
	names := store[:0]
	for name := range w.res.Header().All() { // which w.header had, too
		names = append(names, name)
	}
	for _, name := range names {
		w.res.Header().Del(name)
	}
	names = names[:0]
	for name := range w.header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if values := w.header[name]; !w.take(name, values) {
			w.add(name, values)
		}
	}
}

// take notes what a field means for the framing, and reports whether that is
// all it is for.
func (w *response) take(name string, values []string) bool {
	value := ""
	if len(values) > 0 {
		value = values[0]
	}
	switch name {
	case "Content-Type":
		w.typed = true
		return w.status == http.StatusNotModified
	case "Content-Encoding":
		w.typed = w.typed || value != ""
		return false
	case "Content-Length":
		w.declareLength(value)
	case "Transfer-Encoding":
		w.coded = value != ""
	case "Connection":
		for _, v := range values {
			for option := range strings.SplitSeq(v, ",") {
				w.closes = w.closes || strings.EqualFold(strings.TrimSpace(option), "close")
			}
		}
		if w.closes {
			w.res.Header().Set("Connection", "close")
		}
	case "Date":
		if err := w.res.SetDate(value); err != nil {
			warn("field not sent", "field", name, "err", err)
		}
	case "Trailer":
		w.declareTrailers(values)
	default:
		prefixed := strings.HasPrefix(name, http.TrailerPrefix)
		w.prefixed = w.prefixed || prefixed
		return prefixed
	}
	return true
}

func (w *response) declareLength(value string) {
	if value == "" {
		return
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		warn("invalid Content-Length", "value", value)
		w.header.Del("Content-Length")
		return
	}
	w.length = n
}

// inform sends an informational response with the fields as they are now.
func (w *response) inform(code int) {
	h := new(weir.Header)
	for _, name := range slices.Sorted(maps.Keys(w.header)) {
		for _, value := range w.header[name] {
			if err := h.TryAdd(name, value); err != nil || http1.IsFraming(name) {
				h.Del(name)
			}
		}
	}
	if err := w.res.Inform(code, h); err != nil {
		warn("informational response not sent", "status", code, "err", err)
	}
}

var lineEnds = strings.NewReplacer("\n", " ", "\r", " ")

// add adds a field to the head, once for each value.
func (w *response) add(name string, values []string) {
	for _, value := range values {
		if strings.ContainsAny(value, "\r\n") {
			value = lineEnds.Replace(value)
		}
		err := w.res.Header().TryAdd(name, strings.Trim(value, " \t"))
		if err != nil && !errors.Is(err, weir.ErrFramingField) {
			warn("field not sent", "field", name, "err", err)
		}
	}
}
