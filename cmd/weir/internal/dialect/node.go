package dialect

// A Slot is what a member means to a judge; 0 = nothing.
type Slot uint8

// A Node is a member that a judge wants to see, or on the way to one. A member
// with In must be an object or an array of objects to be looked into.
type Node struct {
	Name string // "*" = any other
	Slot Slot
	In   []Node
	Free bool // of a string matters only whether it is empty
}

// child returns the node of the member with that name, or nil.
func (n *Node) child(name []byte) *Node {
	for i := range n.In {
		if c := &n.In[i]; string(name) == c.Name || c.Name == "*" {
			return c
		}
	}
	return nil
}

// ValueKind is the kind of a JSON value.
type ValueKind uint8

// The kinds of values.
const (
	Null ValueKind = iota
	Bool
	Number
	String
	Object
	Array
	Element // an object in an array that is looked into
)

// A Value is the value of a member. Its bytes are valid until Member returns.
type Value struct {
	Kind  ValueKind
	Empty bool   // null, false, 0, "", {} or []
	Text  []byte // of a string, decoded, or of a number or boolean, as it stands; nil if it is long
}

// Is reports whether the value is that string.
func (v *Value) Is(s string) bool { return v.Kind == String && string(v.Text) == s }

// Int returns the value of a whole number that is not negative.
func (v *Value) Int() (n int64, ok bool) {
	if v.Kind != Number || len(v.Text) > 18 {
		return 0, false
	}
	for _, c := range v.Text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
