package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"devcluster/internal/node"
)

// Enter replaces this process by a command, or a shell, in the namespaces of a real node.
func Enter(dir string, command []string) error {
	l, err := NewLayout(dir)
	if err != nil {
		return err
	}
	pid, err := os.ReadFile(l.path("pids", node.InitName+".pid"))
	if err != nil {
		return errors.New("no real node runs in " + l.Dir)
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return fmt.Errorf("enter the node: %w; install util-linux", err)
	}
	if len(command) == 0 {
		command = []string{"/bin/sh"}
	}
	args := append([]string{"nsenter", "--target", strings.TrimSpace(string(pid)), "--net", "--mount", "--pid", "--"}, command...)
	return syscall.Exec(nsenter, args, os.Environ())
}
