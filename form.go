package weir

import (
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"

	"weir/http1"
)

// ErrNotForm is the error of [Request.ReadForm] and [Request.MultipartReader]
// for a request whose body is not what they read.
var ErrNotForm = errors.New("weir: request body is not a form")

// FormLimits bounds what [Request.ReadForm] takes of a client. Zero is the
// default, negative is none.
type FormLimits struct {
	// Size is that of the whole body: 32 MiB. A route's MaxBody also holds.
	Size int64
	// Memory is how much of files is kept in memory, 1 MiB; the rest goes to
	// temporary files, which are removed when the handler has returned. Negative
	// is no temporary files: all is in memory, within Size, as it is for a clone
	// of a request. The values of a multipart form have 10 MiB more, within Size.
	Memory int64
}

// ReadForm reads the body of a form: multipart/form-data, or
// application/x-www-form-urlencoded, whose Value alone is set. The form is valid
// until Serve returns. File names are what the client says, without folders.
// A form has at most 1000 parts, as mime/multipart has it.
//
// An error is [ErrNotForm], for which 415 is the response; [ErrBodyTooLarge],
// 413; [ErrBlockingOnLoop] for an inline handler; what BodyReader's Read
// returns; or one of mime/multipart or net/url, 400. It does not respond. To
// have bodies that are too large refused before they arrive, set
// [Route.MaxBody]; for files that are not to be held up whole anywhere, use
// [Route.StreamBody] and [Request.MultipartReader].
func (r *Request) ReadForm(limits FormLimits) (*multipart.Form, error) {
	if r.ex != nil && r.ex.onLoop {
		return nil, ErrBlockingOnLoop
	}
	if limits.Size == 0 {
		limits.Size = 32 << 20
	}
	if limits.Size < 0 {
		limits.Size = math.MaxInt64 - 1
	}
	body := &sized{src: r.BodyReader(), left: limits.Size}
	if http1.IsMediaType(r.header.View("Content-Type"), "application/x-www-form-urlencoded") {
		return readPairs(body)
	}
	parts, err := r.multipart(body)
	if err != nil {
		return nil, err
	}
	switch {
	case limits.Memory < 0, r.ex == nil: // nothing would remove the files of a clone
		limits.Memory = limits.Size
	case limits.Memory == 0:
		limits.Memory = 1 << 20
	}
	form, err := parts.ReadForm(limits.Memory)
	if body.full { // whatever became of the error on its way
		err = ErrBodyTooLarge
	}
	if err != nil {
		if form != nil {
			_ = form.RemoveAll() // the error is err
		}
		return nil, err
	}
	r.forms = append(r.forms, form)
	return form, nil
}

// removeForms removes the temporary files of the forms that were read. It is
// for the handler's goroutine.
func (r *Request) removeForms() {
	for _, form := range r.forms {
		_ = form.RemoveAll() // what is left is the temporary folder's
	}
	r.forms = nil
}

func readPairs(body io.Reader) (*multipart.Form, error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	values, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, fmt.Errorf("weir: form: %w", err)
	}
	return &multipart.Form{Value: values, File: map[string][]*multipart.FileHeader{}}, nil
}

// MultipartReader returns a reader of the parts of a multipart/form-data or
// multipart/mixed body; with [Route.StreamBody] it reads while they arrive. The
// error is [ErrNotForm] for other bodies.
func (r *Request) MultipartReader() (*multipart.Reader, error) { return r.multipart(r.BodyReader()) }

func (r *Request) multipart(body io.Reader) (*multipart.Reader, error) {
	kind, params, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	switch boundary := params["boundary"]; {
	case err != nil, kind != "multipart/form-data" && kind != "multipart/mixed":
		return nil, fmt.Errorf("%w: want multipart/form-data, or for ReadForm application/x-www-form-urlencoded", ErrNotForm)
	case boundary == "" || len(boundary) > 70: // RFC 2046 5.1.1
		return nil, fmt.Errorf("%w: want a boundary of 1 to 70 bytes", ErrNotForm)
	default:
		return multipart.NewReader(body, boundary), nil
	}
}

// sized is a reader that fails with ErrBodyTooLarge where there is more than it
// may return.
type sized struct {
	src  io.Reader
	left int64
	full bool
}

func (s *sized) Read(p []byte) (int, error) {
	if s.full {
		return 0, ErrBodyTooLarge
	}
	if int64(len(p)) > s.left+1 { // one more, to see whether there is more
		p = p[:s.left+1]
	}
	n, err := s.src.Read(p)
	if int64(n) > s.left {
		s.full = true
		return int(s.left), ErrBodyTooLarge
	}
	s.left -= int64(n)
	return n, err
}

// Attachment makes browsers save the response as a file of that name (RFC
// 6266), of which only the last element of a path counts. Set the Content-Type,
// too, if it is known.
func (w *Response) Attachment(name string) {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	plain := []byte(`attachment; filename="`)
	coded := []byte(`filename*=UTF-8''`)
	exact := true
	for _, c := range strings.ToValidUTF8(name, "_") {
		switch {
		case c < ' ' || c == 0x7f: // nothing that a name needs
			continue
		case c == '"' || c == '%' || c > '~': // which old clients do not all read as RFC 9110 does
			plain, exact = append(plain, '_'), false
		default:
			plain = append(plain, byte(c))
		}
		for _, b := range []byte(string(c)) {
			coded = appendCoded(coded, b)
		}
	}
	plain = append(plain, '"')
	if !exact {
		plain = append(append(plain, "; "...), coded...)
	}
	w.header.Set("Content-Disposition", string(plain))
}

// appendCoded appends a byte of an extended parameter (RFC 8187 3.2.1).
func appendCoded(dst []byte, b byte) []byte {
	if b-'0' < 10 || b|0x20-'a' < 26 || strings.IndexByte("!#$&+-.^_`|~", b) >= 0 {
		return append(dst, b)
	}
	return fmt.Appendf(dst, "%%%02X", b)
}
