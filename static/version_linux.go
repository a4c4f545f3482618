package static

import (
	"io/fs"
	"syscall"
)

// identify adds what the kernel knows of a file of its own.
func (v *version) identify(info fs.FileInfo) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		v.dev, v.ino, v.links = uint64(st.Dev), uint64(st.Ino), uint64(st.Nlink)
		v.ctime, v.precise = syscall.TimespecToNsec(st.Ctim), true
	}
}
