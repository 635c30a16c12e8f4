package ports

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

func TestLeasesTakenAtOnceNeverOverlap(t *testing.T) {
	const n = 40
	leases := make([]*Lease, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			lease, err := Acquire(0)
			if err != nil {
				t.Error(err)
				return
			}
			leases[i] = lease
		})
	}
	wg.Wait()
	seen := map[int]bool{}
	for _, lease := range leases {
		if lease == nil {
			continue
		}
		defer lease.Release()
		for i := range BlockSize {
			if seen[lease.Port(i)] {
				t.Errorf("port %d leased twice", lease.Port(i))
			}
			seen[lease.Port(i)] = true
		}
	}
}

func TestPreferredBlockIsTakenWhenFreeAndLeftWhenNot(t *testing.T) {
	first, err := Acquire(0)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Acquire(first.Base)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Release()
	if second.Base == first.Base {
		t.Fatalf("block %d leased twice", first.Base)
	}
	first.Release()
	third, err := Acquire(first.Base)
	if err != nil {
		t.Fatal(err)
	}
	defer third.Release()
	if third.Base != first.Base {
		t.Errorf("got block %d, wanted the released %d back", third.Base, first.Base)
	}
}

func TestBlockWithAStrangersListenerIsSkipped(t *testing.T) {
	lease, err := Acquire(0)
	if err != nil {
		t.Fatal(err)
	}
	base := lease.Base
	stranger, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", lease.Port(BlockSize-1)))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	lease.Release()
	got, err := try(base)
	if err != nil || got != nil {
		t.Errorf("try(%d) = %v, %v; a port of it is in use", base, got, err)
	}
}
