package node

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// hidden are directories that containerd, CNI and the kubelet use whatever their configuration
// says. The node sees empty ones instead, which go away with it.
var hidden = []string{"/run/containerd", "/run/netns", "/var/lib/cni", "/var/lib/kubelet", "/var/log"}

// enterNamespaces runs on the node's thread; the processes started on it inherit all three. The
// first of them becomes process 1 of the process namespace.
func (n *Node) enterNamespaces() error {
	for _, dir := range hidden {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID); err != nil {
		return fmt.Errorf("make namespaces for the node: %w; is this root with CAP_SYS_ADMIN?", err)
	}
	// First private, then shared: mounts propagate to the Pods that ask for it, but not to the machine.
	for _, flag := range []uintptr{unix.MS_PRIVATE, unix.MS_SHARED} {
		if err := unix.Mount("", "/", "", unix.MS_REC|flag, ""); err != nil {
			return fmt.Errorf("separate the node's mounts from the machine's: %w", err)
		}
	}
	if err := unix.Mount(n.o.Storage, n.disk(), "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", n.o.Storage, n.disk(), err)
	}
	for _, dir := range hidden {
		if err := unix.Mount("devcluster", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
			return fmt.Errorf("hide %s from the node: %w", dir, err)
		}
	}
	return n.setUpNetwork()
}

// InitStarted tells whether the node's process 1 is up and shows its processes in /proc.
func (n *Node) InitStarted() bool {
	var cmdline []byte
	n.thread.Do(func() { cmdline, _ = os.ReadFile("/proc/1/cmdline") })
	return string(cmdline) == InitName+"\x00init\x00"
}
