package http1

// Limits bounds a head. All sizes are bytes. A zero (or negative) field means
// its default, so the zero value and a nil *Limits are the defaults. A head
// exactly at a limit is accepted; one byte or field more is refused as soon as
// it has arrived.
type Limits struct {
	Line   int // start line without its CRLF; default 8 KiB; beyond it 414
	Header int // all field lines with their CRLFs, without the empty line; default 32 KiB; beyond it 431
	Field  int // one field line without its CRLF; default 16 KiB; beyond it 431
	Fields int // number of field lines; default 100; beyond it 431
}

const (
	defaultLine   = 8 << 10
	defaultHeader = 32 << 10
	defaultField  = 16 << 10
	defaultFields = 100

	maxLimit      = 1 << 30 // keeps every offset within uint32
	maxEmptyLines = 8       // before a request line (RFC 9112 2.2)
)

// DefaultLimits returns the limits that the zero value means.
func DefaultLimits() Limits { return (*Limits)(nil).resolved() }

// resolved returns the limits with the defaults filled in.
func (l *Limits) resolved() Limits {
	if l == nil {
		return Limits{defaultLine, defaultHeader, defaultField, defaultFields}
	}
	return Limits{
		Line:   orDefault(l.Line, defaultLine),
		Header: orDefault(l.Header, defaultHeader),
		Field:  orDefault(l.Field, defaultField),
		Fields: orDefault(l.Fields, defaultFields),
	}
}

func orDefault(v, def int) int {
	if v <= 0 {
		return def
	}
	return min(v, maxLimit)
}
