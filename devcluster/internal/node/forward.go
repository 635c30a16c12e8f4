package node

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

const dialTimeout = 5 * time.Second

// Forward passes TCP connections from a port of the machine's loopback to an address inside the
// node, until the listener it answers is closed.
func (n *Node) Forward(port int, target string) (io.Closer, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("forward 127.0.0.1:%d to the node: %w", port, err)
	}
	go accept(listener, func() (net.Conn, error) {
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		defer cancel()
		return n.Dial(ctx, "tcp", target)
	})
	return listener, nil
}

func accept(listener net.Listener, dial func() (net.Conn, error)) {
	for {
		outer, err := listener.Accept()
		if err != nil {
			return // closed
		}
		go func() {
			defer outer.Close()
			inner, err := dial()
			if err != nil {
				return // the client sees its connection closed, as it would without us
			}
			defer inner.Close()
			join(outer, inner)
		}()
	}
}

// join copies both ways and passes on that one side has finished sending.
func join(a, b net.Conn) {
	done := make(chan struct{}, 2)
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		done <- struct{}{}
	}
	go pass(a, b)
	go pass(b, a)
	<-done
	<-done
}
