package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// lock is held by the supervisor of a directory and, through the same open file, by its janitor:
// while either lives, the directory is in use.
type lock struct{ file *os.File }

var errLocked = errors.New("the directory is in use")

// tryLock answers errLocked where a cluster runs, starts or is being cleaned up.
func (l Layout) tryLock() (*lock, error) {
	file, err := os.OpenFile(l.lockFile(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the cluster's directory: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return &lock{file}, nil
	}
	_ = file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, fmt.Errorf("lock %s: %w", l.lockFile(), err)
}

// waitLock tries until the deadline.
func (l Layout) waitLock(patience time.Duration) (*lock, error) {
	deadline := time.Now().Add(patience)
	for {
		held, err := l.tryLock()
		if !errors.Is(err, errLocked) || time.Now().After(deadline) {
			return held, err
		}
		time.Sleep(10 * time.Millisecond) // flock cannot wait with a time limit
	}
}

func (l Layout) exists() bool {
	_, err := os.Stat(l.lockFile())
	return !errors.Is(err, fs.ErrNotExist)
}

func (h *lock) release() { _ = h.file.Close() }
