// Package osthread runs functions on one operating-system thread that lives as long as the program.
//
// Two things on Linux belong to a thread and not to a process: the namespaces it is in, and the
// parent-death signal of the children it started (it fires when the *thread* ends). Go moves
// goroutines between threads as it likes, so both need a thread that is kept on purpose.
package osthread

import "runtime"

// Thread is one locked thread. It never ends: children started on it would be killed with it.
type Thread struct{ work chan func() }

// New starts a thread and runs setup on it; a thread whose setup failed is not returned.
func New(setup func() error) (*Thread, error) {
	t := &Thread{work: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread()
		ready <- setup()
		for f := range t.work {
			f()
		}
	}()
	return t, <-ready
}

// Do runs f on the thread and waits for it.
func (t *Thread) Do(f func()) {
	done := make(chan struct{})
	t.work <- func() { defer close(done); f() }
	<-done
}
