package client

// What tests outside of the package may see of it.
const MaxInterim = maxInterim

var (
	ErrSwitched = errSwitched
	ErrInterim  = errInterim
)
