package static

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"weir"
	"weir/http1"
)

// Options are how the files of one mount are served. The zero value has the
// defaults.
type Options struct {
	// Index is the name of the file that is served for a folder: index.html. With
	// [None] folders are not found.
	Index string

	// Fallthrough serves the requests for which there is no file, for what is
	// excluded, and those that are neither GET nor HEAD. Without it the response
	// is 404 or 405.
	Fallthrough weir.Handler

	// Header has fields for each response that has a file, Cache-Control for
	// instance.
	Header map[string]string

	// Charset is what the Content-Type of text/… says: utf-8. With [None] it
	// says nothing.
	Charset string

	// Types are media types by extension, such as ".glb": "model/gltf-binary".
	// They precede the ones that the package knows.
	Types map[string]string

	// RequireName and RequireValue are a header field that requests must have,
	// exactly once; others get 403. The value is compared in constant time. It is
	// for a proxy that proves by it where requests come from.
	RequireName, RequireValue string

	// Exclude has names of files and folders that are not served, without regard
	// to case: "drafts", "js/src".
	Exclude []string

	// Precompressed are the content codings whose files are looked for beside the
	// file itself: br (.br), zstd (.zst) and gzip (.gz), the preferred one first.
	// The default is these three in this order; an empty slice is none.
	Precompressed []string

	// DotFiles also serves files and folders whose name begins with a dot. The
	// default is only those of /.well-known/ (RFC 8615).
	DotFiles bool

	// NoSymlinks refuses symbolic links. The default is to follow those that stay
	// below the directory. Links that leave it, or are absolute, are always
	// refused; with [FS], what they lead to is the FS's affair.
	NoSymlinks bool

	// MaxRanges is how many ranges a request may have before the whole file is
	// sent: 16. Negative: ranges are ignored.
	MaxRanges int

	// Cache bounds the contents that are kept, of files up to 64 KiB, in bytes:
	// 16 MiB. Negative: none are.
	Cache int64
}

// None is no name at all, for options whose zero value is a default.
const None = "none"

const (
	defaultMaxRanges = 16
	defaultCache     = 16 << 20
)

// codings are the content codings of siblings in their default order, and
// suffixes how the names of such files end.
var (
	codings  = []string{"br", "zstd", "gzip"}
	suffixes = map[string]string{"br": ".br", "zstd": ".zst", "gzip": ".gz"}
)

// settings are Options as they are used.
type settings struct {
	Options
	charset  string // "; charset=utf-8"
	header   []field
	require  [sha256.Size]byte
	siblings []string // codings
	exclude  []string
}

type field struct{ name, value string }

// check returns the settings, or what is wrong with o.
func (o *Options) check() (*settings, error) {
	s := new(settings)
	if o != nil {
		s.Options = *o
	}
	if s.Index == "" {
		s.Index = "index.html"
	}
	switch {
	case s.Index == None:
		s.Index = ""
	case strings.ContainsAny(s.Index, "/\\\x00"), s.Index == ".", s.Index == "..":
		return nil, fmt.Errorf("static: Options.Index is %q: want the name of a file, without a folder", s.Index)
	}
	switch s.Charset {
	case "":
		s.charset = "; charset=utf-8"
	case None:
	default:
		s.charset = "; charset=" + s.Charset
	}
	if s.MaxRanges == 0 {
		s.MaxRanges = defaultMaxRanges
	}
	if s.Cache == 0 {
		s.Cache = defaultCache
	}
	s.require = sha256.Sum256([]byte(s.RequireValue))
	for _, check := range []func() error{s.checkHeader, s.checkTypes, s.checkNames, s.checkCodings} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *settings) checkHeader() error {
	for name, value := range s.Header {
		switch err := http1.CheckField(name, value); {
		case err != nil:
			return fmt.Errorf("static: Options.Header: %w", err)
		case http1.IsFraming(name), slices.ContainsFunc(ours, func(own string) bool { return strings.EqualFold(own, name) }):
			return fmt.Errorf("static: Options.Header has %s, which is the handler's own", name)
		}
		s.header = append(s.header, field{name, value})
	}
	slices.SortFunc(s.header, func(a, b field) int { return strings.Compare(a.name, b.name) })
	switch {
	case s.RequireName == "" && s.RequireValue != "":
		return fmt.Errorf("static: Options.RequireValue without RequireName")
	case s.RequireName != "" && s.RequireValue == "":
		return fmt.Errorf("static: Options.RequireName is %q without RequireValue", s.RequireName)
	case s.RequireName != "":
		if err := http1.CheckField(s.RequireName, s.RequireValue); err != nil {
			return fmt.Errorf("static: Options.RequireName: %w", err)
		}
	}
	return nil
}

// ours are the fields that say something about the file that is sent.
var ours = []string{"Content-Type", "Content-Encoding", "Content-Range", "Accept-Ranges", "ETag", "Last-Modified"}

func (s *settings) checkTypes() error {
	s.Types = maps.Clone(s.Types) // it is read by every request
	for ext, media := range s.Types {
		if !strings.HasPrefix(ext, ".") || strings.ContainsAny(ext[1:], "./\\") || ext != strings.ToLower(ext) {
			return fmt.Errorf("static: Options.Types has the extension %q: want one like .html, in lower case", ext)
		}
		if err := http1.CheckField("Content-Type", media); err != nil || !strings.Contains(media, "/") {
			return fmt.Errorf("static: Options.Types has the media type %q for %s: want one like text/html", media, ext)
		}
	}
	if err := http1.CheckField("Content-Type", s.charset); err != nil {
		return fmt.Errorf("static: Options.Charset: %w", err)
	}
	return nil
}

func (s *settings) checkNames() error {
	for _, name := range s.Exclude {
		clean := path.Clean("/" + name)[1:]
		if clean == "" || clean != strings.Trim(name, "/") {
			return fmt.Errorf("static: Options.Exclude has %q: want a name below the root, such as js/src", name)
		}
		s.exclude = append(s.exclude, clean)
	}
	return nil
}

func (s *settings) checkCodings() error {
	if s.siblings = slices.Clone(s.Precompressed); s.siblings == nil {
		s.siblings = codings
	}
	for i, name := range s.siblings {
		switch {
		case suffixes[name] == "":
			return fmt.Errorf("static: Options.Precompressed has %q: want br, zstd or gzip", name)
		case slices.Contains(s.siblings[:i], name):
			return fmt.Errorf("static: Options.Precompressed has %s twice", name)
		}
	}
	return nil
}
