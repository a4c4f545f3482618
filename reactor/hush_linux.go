package reactor

import "golang.org/x/sys/unix"

// hush makes the kernel drop the packets that ask for new connections (SYN
// without ACK), so that what waits at the listener comes to an end; handshakes
// that have begun are completed. A client that connects meanwhile tries again
// after a second, as for every lost packet, and finds the port closed, or the
// next process. An error changes nothing.
func (lis *listener) hush() {
	if lis.addr.Network() != "tcp" {
		return // the path of a unix socket is gone already
	}
	_ = unix.SetsockoptSockFprog(lis.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(dropSYN)), Filter: &dropSYN[0]})
}

// dropSYN is a filter in the classic BPF. A packet begins with its TCP header,
// the flags are at 13.
var dropSYN = [...]unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: tcpSYN | tcpACK},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: tcpSYN, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
}

const (
	tcpSYN = 0x02
	tcpACK = 0x10
)
