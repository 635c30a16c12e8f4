package cluster

import (
	"context"
	"fmt"
	"net"

	"devcluster/internal/osthread"
	"devcluster/internal/ports"
)

// place is where the components run: on the host's loopback for simulated nodes, in namespaces of
// their own for a real one.
type place struct {
	thread *osthread.Thread // starts the components
	dial   func(ctx context.Context, network, address string) (net.Conn, error)

	etcdPort, etcdPeerPort, apiPort, kcmPort, schedulerPort int

	bind      string // address the API server listens on
	advertise string // address written to the Endpoints of the service "kubernetes"
	endpoints bool   // whether these Endpoints are written at all
	outerURL  string // the API server as the host reaches it
}

const (
	loopback = "127.0.0.1"
	// documentationAddress stands where the API server wants an address that is not loopback and
	// nobody will ever connect to it (RFC 5737).
	documentationAddress = "198.51.100.1"
	serviceAddresses     = "10.96.0.0/16"
	serviceAddress       = "10.96.0.1" // the first of serviceAddresses: the service "kubernetes"
)

// innerURL is the API server as the components reach it.
func (p *place) innerURL() string { return fmt.Sprintf("https://%s:%d", loopback, p.apiPort) }

func (p *place) etcdURL() string { return fmt.Sprintf("https://%s:%d", loopback, p.etcdPort) }

// hostPlace puts the components on leased ports of the host's loopback.
func hostPlace(lease *ports.Lease) (*place, error) {
	thread, err := osthread.New(func() error { return nil })
	if err != nil {
		return nil, err
	}
	p := &place{
		thread: thread, dial: (&net.Dialer{}).DialContext,
		apiPort: lease.Port(0), etcdPort: lease.Port(1), etcdPeerPort: lease.Port(2), kcmPort: lease.Port(3), schedulerPort: lease.Port(4),
		bind: loopback, advertise: documentationAddress,
	}
	p.outerURL = p.innerURL()
	return p, nil
}
