package reactor

// The lexer of TLS records (RFC 8446 5.1): a type, a version that begins with
// 3, and the length of what follows.
const (
	recordHeader = 5
	maxRecord    = recordHeader + 16<<10 + 2<<10 // ... of TLS 1.2, the largest

	firstRecordType = 20 // change_cipher_spec
	lastRecordType  = 24 // heartbeat
)

// recordSize is how many bytes the record at the front of p has; 0 = not known
// yet. What is not a record is as long as p: tls.Conn reports what is wrong
// with it.
func recordSize(p []byte) int {
	if len(p) == 0 {
		return 0
	}
	if p[0] < firstRecordType || p[0] > lastRecordType || len(p) > 1 && p[1] != 3 {
		return len(p)
	}
	if len(p) < recordHeader {
		return 0
	}
	n := recordHeader + int(p[3])<<8 + int(p[4])
	if n > maxRecord {
		return len(p)
	}
	return n
}

// available returns how much of the input tls.Conn may get now: the rest of the
// record that it is reading, or else one that is complete.
func (s *secure) available() int {
	rest := s.in[s.from:]
	if s.left > 0 {
		return min(s.left, len(rest))
	}
	if n := recordSize(rest); n <= len(rest) {
		return n
	}
	return 0
}

// take gives tls.Conn what is available.
func (s *secure) take(p []byte) int {
	n := s.available()
	if s.left == 0 {
		s.left = n
	}
	n = copy(p, s.in[s.from:s.from+n])
	s.from += n
	s.left -= n
	return n
}
