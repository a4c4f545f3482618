package http1

// IsMediaType reports whether value, a Content-Type, is the media type want,
// given as type/subtype (RFC 9110 8.3.1): in any case, with any parameters.
// What the parameters are, and whether they are well-formed, does not matter.
func IsMediaType(value []byte, want string) bool {
	value = trimSpace(value)
	if len(value) < len(want) || !equalFold(value[:len(want)], want) {
		return false
	}
	rest := trimSpace(value[len(want):])
	return len(rest) == 0 || rest[0] == ';'
}
