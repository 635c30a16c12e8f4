package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"devcluster/internal/supervise"
)

// Names of the node's components.
const (
	InitName       = "node-init"
	ContainerdName = "containerd"
	KubeletName    = "kubelet"
	ProxyName      = "kube-proxy"
)

// Init is process 1 of the node: when it ends, the kernel ends all others.
func (n *Node) Init() supervise.Spec {
	// The kernel keeps other signals from a process 1 that has no handler for them.
	return supervise.Spec{Name: InitName, Path: n.o.Helper, Args: []string{"init"}, NamespaceInit: true, StopSignal: syscall.SIGKILL}
}

// Containerd is the machine's own program with a configuration, state and socket of this node.
func (n *Node) Containerd() (supervise.Spec, error) {
	path, err := exec.LookPath(ContainerdName)
	return supervise.Spec{
		Name: ContainerdName, Path: path,
		Args: []string{"--config", filepath.Join(n.run(), containerdConfig)},
	}, err
}

// ContainerdStarted tells whether containerd listens.
func (n *Node) ContainerdStarted() bool {
	_, err := os.Stat(Socket(n.o.ID))
	return err == nil
}

// Kubelet and kube-proxy are parts of the multicall program.
func (n *Node) Kubelet(program string, more []string) supervise.Spec {
	args := []string{
		"--config=" + filepath.Join(n.run(), kubeletConfig), "--kubeconfig=" + n.o.Kubeconfig("kubelet"),
		"--hostname-override=" + Name, "--node-ip=" + Address,
		"--root-dir=" + filepath.Join(n.disk(), "kubelet"), "--cert-dir=" + filepath.Join(n.disk(), "kubelet", "pki"),
	}
	return supervise.Spec{Name: KubeletName, Path: program, Args: append(args, more...)}
}

// Proxy is kube-proxy.
func (n *Node) Proxy(program string) supervise.Spec {
	return supervise.Spec{Name: ProxyName, Path: program, Args: []string{"--config=" + filepath.Join(n.run(), proxyConfig)}}
}
