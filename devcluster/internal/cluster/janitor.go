package cluster

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// The janitor is a process that holds the reading end of a pipe whose writing end only the
// supervisor has. When the supervisor ends, however it ends, the janitor reads end-of-file and
// cleans up. It also holds the directory's lock, so that nobody starts a cluster in between.
type janitor struct {
	cmd      *exec.Cmd
	lifeline *os.File
}

const (
	janitorPipeFd   = 3
	janitorPatience = 60 * time.Second
)

func startJanitor(l Layout, program string, held *lock) (*janitor, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the janitor: %w", err)
	}
	defer reader.Close()
	log, err := os.OpenFile(l.path("logs", "janitor.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start the janitor: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(program, "janitor", "--dir="+l.Dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{reader, held.file}
	// A session of its own: what ends the supervisor's process group must not end the janitor.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the janitor: %w", err)
	}
	return &janitor{cmd, writer}, nil
}

// finish lets the janitor clean up and waits for it.
func (j *janitor) finish() error {
	_ = j.lifeline.Close()
	ended := make(chan error, 1)
	go func() { ended <- j.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("clean up: %w; see logs/janitor.log", err)
		}
		return nil
	case <-time.After(janitorPatience):
		return fmt.Errorf("clean up: the janitor, pid %d, still works after %s", j.cmd.Process.Pid, janitorPatience)
	}
}

// RunJanitor is the janitor's own program.
func RunJanitor(dir string) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	l, err := NewLayout(dir)
	if err != nil {
		return err
	}
	lifeline := os.NewFile(janitorPipeFd, "lifeline")
	if _, err := io.Copy(io.Discard, lifeline); err != nil {
		return fmt.Errorf("the janitor is started by `devcluster up` alone: %w", err)
	}
	return Cleanup(l)
}
