package target

// Key is equal for requests that should go to the same target. It is the same
// in every process. 0 means no key.
type Key uint64

// KeyOf returns the key of a session's name, 0 for no name.
func KeyOf[T ~string | ~[]byte](name T) Key {
	if len(name) == 0 {
		return 0
	}
	return toKey(fnv(offset, name))
}

// ID returns the hash of a target: the upstream's name and the model's name
// there.
func ID(upstream, model string) uint64 {
	return mix(fnv(fnv(fnv(offset, upstream), "\x00"), model))
}

// The parameters of FNV-1a, 64 bits.
const (
	offset = 14695981039346656037
	prime  = 1099511628211
)

func fnv[T ~string | ~[]byte](h uint64, data T) uint64 {
	for i := range len(data) {
		h = (h ^ uint64(data[i])) * prime
	}
	return h
}

// mix makes every bit depend on every other (MurmurHash3's finalizer).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func toKey(h uint64) Key {
	return Key(max(mix(h), 1))
}
