//go:build unix

package pgtest

import (
	"os"
	"os/exec"
	"syscall"
)

// nobody is the user that servers run as when the tests run as root.
const nobody = 65534

// own lets the server's user own its directory.
func own(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(dir, nobody, nobody)
}

// unprivileged makes the command run as that user. It gets a process group of its own: an interrupt from the terminal is for the tests.
func unprivileged(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
}
