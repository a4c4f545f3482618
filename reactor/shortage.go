package reactor

import (
	"errors"
	"slices"
	"syscall"
)

// shortages are the errors of system calls that fail for want of something
// that this machine or this process has run out of. EAGAIN is not among them:
// on connect(2) it says that the backlog of a unix socket is full, which is the
// listener's affair.
var shortages = []syscall.Errno{
	syscall.EMFILE,        // descriptors of the process
	syscall.ENFILE,        // descriptors of the system
	syscall.EADDRNOTAVAIL, // ports to connect from
	syscall.ENOBUFS,       // memory of the kernel
	syscall.ENOMEM,
	syscall.ENOSPC, // epoll's watches of this user
}

// LocalShortage reports whether err, from Dial, a DialHandler's Closed or
// package net, has its cause on this side of the connection: descriptors, ports
// or memory have run out, or ErrDialLimit. It says nothing about the peer.
func LocalShortage(err error) bool {
	var errno syscall.Errno
	return errors.Is(err, ErrDialLimit) || errors.As(err, &errno) && slices.Contains(shortages, errno)
}
