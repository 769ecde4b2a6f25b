package control

import (
	"fmt"
	"net"
	"syscall"
)

// peerName says for the audit whose process is at the other end.
func peerName(c *net.UnixConn) string {
	name := "socket"
	raw, err := c.SyscallConn()
	if err != nil {
		return name
	}
	_ = raw.Control(func(fd uintptr) { // a connection that is closed by now has no peer
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			name = fmt.Sprintf("uid %d", cred.Uid)
		}
	})
	return name
}
