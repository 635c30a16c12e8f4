package node

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/vishvananda/netlink"
)

const bridge = "cni0"

// setUpNetwork gives the namespace one bridge, which Pods are connected to. There is no way from
// it to the machine's own network: nothing in the cluster can reach anything outside.
func (n *Node) setUpNetwork() error {
	loopback, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(loopback)
	}
	if err != nil {
		return fmt.Errorf("set up the node's loopback: %w", err)
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = bridge
	link := &netlink.Bridge{LinkAttrs: attributes}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("make the node's bridge: %w", err)
	}
	_, network, err := net.ParseCIDR(podNetwork)
	if err != nil {
		return err
	}
	address := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(Address), Mask: network.Mask}}
	if err := netlink.AddrAdd(link, address); err != nil {
		return fmt.Errorf("give the node's bridge the address %s: %w", address, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set the node's bridge up: %w", err)
	}
	_, services, err := net.ParseCIDR(n.o.ServiceNetwork)
	if err != nil {
		return err
	}
	// Without a route a connection to a service address fails before kube-proxy's rules see it.
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: services}); err != nil {
		return fmt.Errorf("route %s to the node's bridge: %w", services, err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		return fmt.Errorf("forward packets in the node's namespace: %w", err)
	}
	// Packets between two Pods stay on the bridge: kube-proxy's rules must see them as well. On a
	// kernel without this module only services called from another Pod of the node suffer.
	err = os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-iptables", []byte("1"), 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("filter bridged packets in the node's namespace: %w", err)
	}
	return nil
}
