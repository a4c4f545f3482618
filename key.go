package weir

// A Key is a place for one value of each request: what middleware finds out,
// such as the caller's identity, and the handler behind it needs. Like the
// methods of [Request], its own must be called on the handler's goroutine.
//
//	var principal = weir.NewKey[Principal]("principal")
//
// OnHeaders and Trace.Start, which come before, may also use it. A value
// belongs to the request until it ends: it survives HandOver, Request.Clone
// copies it, and later requests do not see it. Requests without values cost
// nothing; on an event loop one with values allocates nothing either, unless T
// itself does.
//
// Keys are made once, usually as variables of a package. Each call of NewKey
// makes another one, whatever its name.
type Key[T any] struct{ name string }

// NewKey returns a new key. The name is for [Key.String].
func NewKey[T any](name string) *Key[T] { return &Key[T]{name} }

// String returns the key's name.
func (k *Key[T]) String() string { return k.name }

// Get returns the value that was set, and whether one was.
func (k *Key[T]) Get(r *Request) (value T, ok bool) {
	if p := k.place(r); p != nil {
		return p.value, p.set
	}
	return value, false
}

// Set sets the value, in place of an earlier one.
func (k *Key[T]) Set(r *Request, value T) {
	p := k.place(r)
	if p == nil {
		p = &place[T]{key: k}
		r.places = append(r.places, p)
	}
	p.value, p.set = value, true
}

func (k *Key[T]) place(r *Request) *place[T] {
	for _, v := range r.places {
		if p, ok := v.(*place[T]); ok && p.key == k {
			return p
		}
	}
	return nil
}

// place has the value of one key in a request.
type place[T any] struct {
	key   *Key[T]
	value T
	set   bool
}

// anyPlace is a place, whatever its type.
type anyPlace interface {
	forget()
	clone() anyPlace
}

// forget drops the value; the place is for a later request's.
func (p *place[T]) forget() {
	var none T
	p.value, p.set = none, false
}

func (p *place[T]) clone() anyPlace {
	c := *p
	return &c
}

// keptPlaces bounds the places that a pooled request keeps, for programs that
// make keys as they run.
const keptPlaces = 16

// forgetValues prepares a pooled request for its next use.
func (r *Request) forgetValues() {
	if len(r.places) > keptPlaces {
		r.places = nil
	}
	for _, p := range r.places {
		p.forget()
	}
}
