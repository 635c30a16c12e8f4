package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// CNIPlugins is where Debian puts them.
const CNIPlugins = "/usr/lib/cni"

var (
	neededPrograms = []string{"containerd", "containerd-shim-runc-v2", "runc", "ctr", "nft", "conntrack", "ip", "nsenter", "busybox"}
	neededPlugins  = []string{"bridge", "host-local", "loopback", "portmap"}
	neededCgroups  = []string{"cpu", "cpuacct", "cpuset", "memory", "pids"} // of version 1
)

// Missing tells what this machine lacks for a real node; nothing means that it can have one.
func Missing() []string {
	if os.Geteuid() != 0 {
		return []string{"not root"}
	}
	var missing []string
	for _, program := range neededPrograms {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, "no "+program)
		}
	}
	for _, plugin := range neededPlugins {
		if _, err := os.Stat(filepath.Join(CNIPlugins, plugin)); err != nil {
			missing = append(missing, "no CNI plugin "+plugin+" in "+CNIPlugins)
		}
	}
	missing = append(missing, missingCgroups()...)
	if err := tryNamespaces(); err != nil {
		missing = append(missing, fmt.Sprintf("no new namespaces (%v)", err))
	}
	return missing
}

func missingCgroups() []string {
	trees, err := hierarchies(cgroupRoot)
	if err != nil {
		return []string{err.Error()}
	}
	if len(trees) == 1 && trees[0] == cgroupRoot {
		return nil
	}
	var missing []string
	for _, controller := range neededCgroups {
		if _, err := os.Stat(filepath.Join(cgroupRoot, controller, cgroupProcs)); err != nil {
			missing = append(missing, "no cgroup controller "+controller)
		}
	}
	return missing
}

// tryNamespaces makes the kinds of namespaces that a node needs, for the life of one program.
func tryNamespaces() error {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}
