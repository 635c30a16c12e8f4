package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"devcluster/internal/node"
)

// ownerVariable is in the environment of every component: by it the janitor knows its own.
const ownerVariable = "DEVCLUSTER_COMPONENT_OF"

const endPatience = 10 * time.Second

// Cleanup removes what a cluster left behind, however it ended. It may run any number of times.
func Cleanup(l Layout) error {
	rec, err := l.readRecord()
	if err != nil || !rec.Running {
		return err
	}
	_ = os.Remove(l.readyFile())
	problems := []error{l.endComponents()}
	if rec.Node == NodeReal {
		problems = append(problems, node.Cleanup(l.ID(), l.nodeStorage()))
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("clean up after the cluster in %s: %w", l.Dir, err)
	}
	rec.Running = false
	return l.writeRecord(rec)
}

// endComponents kills the components that outlived their supervisor. The kernel has told them to
// end when it did; this waits for that.
func (l Layout) endComponents() error {
	files, err := filepath.Glob(filepath.Join(l.pids(), "*.pid"))
	if err != nil {
		return err
	}
	var problems []error
	for _, file := range files {
		if err := endComponent(file, l.Dir); err != nil {
			problems = append(problems, err)
			continue
		}
		_ = os.Remove(file)
	}
	return errors.Join(problems...)
}

func endComponent(pidFile, dir string) error {
	data, err := os.ReadFile(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("%s holds no process id: %w", pidFile, err)
	}
	deadline := time.Now().Add(endPatience)
	for belongsTo(pid, dir) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill %s: %w", filepath.Base(pidFile), err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d of %s does not end", pid, filepath.Base(pidFile))
		}
		time.Sleep(5 * time.Millisecond) // not our child: it can only be looked at
	}
	return nil
}

// belongsTo tells whether the process is a living component of the cluster in dir, and not one
// that got the same number later.
func belongsTo(pid int, dir string) bool {
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	for variable := range bytes.SplitSeq(environment, []byte{0}) {
		if string(variable) == ownerVariable+"="+dir {
			return true
		}
	}
	return false
}

// startTicks is when a process started, in clock ticks since boot: with its pid it is unique.
func startTicks(pid int) (string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The second field is the program's name in parentheses and may hold anything.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	const startTime = 22 - 3 // counted from 1, and these fields begin with the third
	if len(fields) <= startTime {
		return "", fmt.Errorf("cannot read /proc/%d/stat: %q", pid, data)
	}
	return fields[startTime], nil
}
