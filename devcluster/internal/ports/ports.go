// Package ports leases blocks of loopback TCP ports so that clusters side by side never collide.
//
// A lease is the binding of an abstract Unix socket named after the block. The kernel makes that
// binding exclusive within a network namespace, which is also the scope of a TCP port, and drops
// it when its holder ends, however it ends: there is no lock file to go stale.
package ports

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
)

const (
	// BlockSize is the number of ports a lease holds.
	BlockSize  = 8
	firstPort  = 20000
	lastPort   = 32000
	rangeFile  = "/proc/sys/net/ipv4/ip_local_port_range"
	socketName = "@punctual-devcluster-ports-%d"
)

// Lease is a block of ports held until Release or the end of the program.
type Lease struct {
	Base   int
	socket *net.UnixListener
}

// Port is the n-th port of the block.
func (l *Lease) Port(n int) int {
	if n < 0 || n >= BlockSize {
		panic(fmt.Sprintf("ports: no port %d in a block of %d", n, BlockSize))
	}
	return l.Base + n
}

// Release gives the block back.
func (l *Lease) Release() { _ = l.socket.Close() }

// Acquire leases a free block: the preferred one if it is free (0: no preference), else any.
func Acquire(preferred int) (*Lease, error) {
	last := min(lastPort, ephemeralStart())
	blocks := (last - firstPort) / BlockSize
	if blocks < 1 {
		return nil, fmt.Errorf("no TCP ports left below the ephemeral range of %s, which starts at %d: raise its lower end above %d",
			rangeFile, last, firstPort+BlockSize)
	}
	candidates := make([]int, 0, blocks+1)
	if preferred >= firstPort && preferred+BlockSize <= last {
		candidates = append(candidates, preferred)
	}
	// A random start keeps clusters started together from all trying the same blocks in turn.
	start := rand.IntN(blocks)
	for i := range blocks {
		candidates = append(candidates, firstPort+(start+i)%blocks*BlockSize)
	}
	for _, base := range candidates {
		lease, err := try(base)
		if err != nil {
			return nil, err
		}
		if lease != nil {
			return lease, nil
		}
	}
	return nil, fmt.Errorf("every block of %d TCP ports from %d to %d is taken: stop a cluster with `devcluster down`", BlockSize, firstPort, last)
}

// try leases the block at base; it answers nil where somebody has it, or one of its ports.
func try(base int) (*Lease, error) {
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: fmt.Sprintf(socketName, base)})
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lease TCP ports from %d: %w", base, err)
	}
	for port := base; port < base+BlockSize; port++ {
		if !free(port) {
			_ = socket.Close()
			return nil, nil
		}
	}
	return &Lease{Base: base, socket: socket}, nil
}

// free tells whether a port can be listened on by a program that knows nothing of leases.
func free(port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// ephemeralStart is the first port the kernel hands out to outgoing connections. Leases stay
// below it: a component that is restarted must find its port free again.
func ephemeralStart() int {
	file, err := os.Open(rangeFile)
	if err != nil {
		return lastPort
	}
	defer file.Close()
	line, _ := bufio.NewReader(file).ReadString('\n')
	var low, high int
	if _, err := fmt.Sscan(strings.TrimSpace(line), &low, &high); err != nil {
		return lastPort
	}
	return low
}
