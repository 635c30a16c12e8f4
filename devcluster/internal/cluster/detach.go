package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

// detach runs `up` in a session of its own and returns when that cluster is ready or has failed.
func detach(l Layout, o Options) error {
	if err := l.make(); err != nil {
		return err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reader.Close()
	cmd, err := supervisorCommand(l, o, writer)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	_ = writer.Close()
	go func() {
		// Who gives up waiting does not want the cluster.
		for range signals {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}()
	if relay(reader, os.Stdout) {
		return cmd.Process.Release()
	}
	_ = cmd.Wait()
	return fmt.Errorf("no cluster in %s; see above and %s", l.Dir, l.path("logs", upLog))
}

func supervisorCommand(l Layout, o Options, report *os.File) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(l.path("logs", upLog), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start the supervisor: %w", err)
	}
	// The last of a flag's values counts.
	args := append([]string{"up"}, o.Arguments...)
	args = append(args, "--detach=false")
	if o.DieWithParent && o.ParentPid == 0 {
		args = append(args, "--parent-pid="+strconv.Itoa(os.Getppid()))
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{report}
	cmd.Env = append(os.Environ(), reportVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, nil
}

// relay copies the supervisor's messages and tells whether they end with the cluster being ready.
func relay(from io.Reader, to io.Writer) bool {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if strings.HasPrefix(line, readyMark) {
			return true
		}
		_, _ = io.WriteString(to, line)
		if errors.Is(err, io.EOF) || err != nil {
			return false
		}
	}
}
