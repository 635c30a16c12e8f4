// Package node makes a real Kubernetes node out of the machine it runs on: Debian's containerd and
// runc beside the kubelet and kube-proxy of this program, in namespaces of their own.
//
// The network, mount and process namespaces have no name anywhere. They live as long as their
// processes, and the processes as long as the node's process 1, which dies with the supervisor.
// So the kernel itself leaves nothing behind; only cgroups, files and the machine's settings
// need cleaning up.
package node

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"devcluster/internal/osthread"
)

const (
	// Name of the one node.
	Name = "node-1"
	// Address of the node in its network namespace; Pods get others of the same network.
	Address    = "10.88.0.1"
	podNetwork = "10.88.0.0/16"
	firstPodIP = "10.88.1.1"

	runRoot = "/run/punctual-devcluster"
)

// Options of a node.
type Options struct {
	ID             string // of the cluster; unique on the machine
	Storage        string // directory for images and Pods; made, and removed by Cleanup
	Helper         string // the helper program
	PKI            func(file string) string
	Kubeconfig     func(client string) string
	ServiceNetwork string
	APIPort        int
	Say            func(format string, args ...any)
}

// Node is a node that can be started: its namespaces, directories and settings are there.
type Node struct {
	o      Options
	thread *osthread.Thread
}

// New makes the namespaces, the cgroups and the files of a node.
func New(o Options) (*Node, error) {
	n := &Node{o: o}
	for _, dir := range hidden {
		if strings.HasPrefix(o.Storage, dir+"/") {
			return nil, fmt.Errorf("a real node cannot see its directory %s below %s: choose another --dir", o.Storage, dir)
		}
	}
	for _, dir := range []string{n.run(), n.disk(), o.Storage} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	changed, err := saveSysctls(o.ID)
	if err != nil {
		return nil, err
	}
	o.Say("the kubelet changes settings of this machine (%s): saved, and restored at the end", changed)
	if err := makeCgroups(cgroupRoot, cgroupName(o.ID)); err != nil {
		return nil, err
	}
	if n.thread, err = osthread.New(n.enterNamespaces); err != nil {
		return nil, err
	}
	return n, n.writeConfig()
}

// Thread is in the node's namespaces.
func (n *Node) Thread() *osthread.Thread { return n.thread }

// Dial connects to an address inside the node's network.
func (n *Node) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	n.thread.Do(func() { conn, err = (&net.Dialer{}).DialContext(ctx, network, address) })
	return conn, err
}

func runDir(id string) string { return filepath.Join(runRoot, id) }

// run is a short path: sockets are in it, whose paths may have 107 bytes.
func (n *Node) run() string { return runDir(n.o.ID) }

// disk is where the node's namespace shows Storage, under a short path.
func (n *Node) disk() string { return filepath.Join(n.run(), "disk") }

// Socket is where containerd listens.
func Socket(id string) string { return filepath.Join(runDir(id), "containerd.sock") }
