package cluster

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// watchParent answers a channel that is closed when the process to watch has ended; without
// --die-with-parent it never is. A process file descriptor is watched and not the kernel's
// parent-death signal: that one fires when the parent's *thread* ends, and test harnesses start
// clusters from threads that come and go.
func watchParent(o Options) (<-chan struct{}, error) {
	gone := make(chan struct{})
	if !o.DieWithParent {
		return gone, nil
	}
	pid := o.ParentPid
	if pid == 0 {
		pid = os.Getppid()
	}
	handle, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		close(gone)
		return gone, nil
	}
	if err != nil {
		return nil, fmt.Errorf("watch the parent process %d: %w (this needs Linux 5.3 or newer)", pid, err)
	}
	unix.CloseOnExec(handle)
	// The parent may have ended, and its pid been taken again, before the descriptor was there.
	if o.ParentPid == 0 && os.Getppid() != pid {
		close(gone)
		return gone, nil
	}
	go func() {
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}, -1)
			if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				close(gone)
				return
			}
		}
	}()
	return gone, nil
}
