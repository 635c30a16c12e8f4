// helper is the small program beside devcluster: the one process of a Pod's sandbox ("pause") and
// process 1 of a real node ("init"). Both only wait and collect ended processes.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "init" {
		if err := mountProc(); err != nil {
			fmt.Fprintln(os.Stderr, "devcluster helper:", err)
			os.Exit(1)
		}
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		collect()
	}
}

// mountProc shows the processes of the new process namespace: only a process inside it can.
func mountProc() error {
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc in the node's namespace: %w", err)
	}
	fmt.Println("ready")
	return nil
}

func collect() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 || err != nil && err != syscall.EINTR {
			return
		}
	}
}
