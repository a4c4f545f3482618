//go:build unix && !linux

package reactor

// hush is for Linux.
func (lis *listener) hush() {}
