package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"devcluster/internal/control"
)

const (
	stopPatience = 90 * time.Second
	killPatience = 60 * time.Second
)

// Down stops the cluster in dir and waits until nothing of it is left; with remove, the directory
// goes too. Where none runs it does nothing.
func Down(dir string, remove bool) error {
	l, err := NewLayout(dir)
	if err != nil {
		return err
	}
	if !l.exists() {
		fmt.Printf("no cluster in %s\n", l.Dir)
		return nil
	}
	start := time.Now()
	held, err := l.tryLock()
	stopped := errors.Is(err, errLocked)
	if stopped {
		held, err = l.stopSupervisor()
	}
	if err != nil {
		return err
	}
	defer held.release()
	rec, err := l.readRecord()
	if err != nil {
		return err
	}
	if err := Cleanup(l); err != nil {
		return err
	}
	switch {
	case stopped:
		fmt.Printf("stopped the cluster in %s in %.1f s\n", l.Dir, time.Since(start).Seconds())
	case rec.Running:
		fmt.Printf("cleaned up after the cluster in %s, whose supervisor was gone\n", l.Dir)
	default:
		fmt.Printf("no cluster runs in %s\n", l.Dir)
	}
	if remove {
		return os.RemoveAll(l.Dir)
	}
	return nil
}

// stopSupervisor asks the supervisor to end, and ends it if it does not; the janitor cleans up
// either way. It returns with the directory's lock.
func (l Layout) stopSupervisor() (*lock, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	asked := control.Stop(ctx, l.Dir)
	rec, err := l.readRecord()
	if err != nil {
		return nil, err
	}
	if asked != nil && rec.alive() {
		// Not listening yet, or no more: a signal serves as well.
		_ = syscall.Kill(rec.Supervisor, syscall.SIGTERM)
	}
	held, err := l.waitLock(stopPatience)
	if !errors.Is(err, errLocked) {
		return held, err
	}
	if rec.alive() {
		fmt.Printf("the supervisor, pid %d, did not end within %s: killing it\n", rec.Supervisor, stopPatience)
		_ = syscall.Kill(rec.Supervisor, syscall.SIGKILL)
	}
	held, err = l.waitLock(killPatience)
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("something still holds %s after %s; see %s", l.lockFile(), stopPatience+killPatience, l.path("logs", "janitor.log"))
	}
	return held, err
}

func (r record) alive() bool {
	ticks, err := startTicks(r.Supervisor)
	return err == nil && ticks == r.SupervisorStart
}
