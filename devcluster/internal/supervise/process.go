package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Spec says how to start one component.
type Spec struct {
	Name string   // also argv[0], which a multicall program goes by
	Path string   // the program, absolute
	Args []string // without argv[0]
	// Ready is awaited after a restart; nil: the component counts as up once it runs.
	Ready func() error
	// NamespaceInit marks process 1 of the thread's process namespace.
	NamespaceInit bool
	// StopSignal asks for an orderly end; 0 means SIGTERM.
	StopSignal syscall.Signal
}

type process struct {
	spec    Spec
	cmd     *exec.Cmd
	started time.Time
	done    chan struct{} // closed when it has ended
	meant   bool          // its end was asked for
}

// launch starts the program in its own process group: Ctrl-C in a terminal reaches only the
// supervisor, which stops components in order.
func (s *Supervisor) launch(spec Spec) (*process, error) {
	logPath := s.LogFile(spec.Name)
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	defer log.Close()
	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Args[0] = spec.Name
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), s.o.Env...)
	cmd.Dir = s.o.WorkDir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// In a process namespace of its own a component dies with process 1. It could not have a
	// death signal of its own: Go's runtime looks whether the parent still lives, by a process
	// id that has no meaning there, and would kill the component at its start.
	if !s.o.ProcessNamespace || spec.NamespaceInit {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	s.o.Thread.Do(func() { err = cmd.Start() })
	if err != nil {
		return nil, fmt.Errorf("start %s (%s): %w", spec.Name, spec.Path, err)
	}
	p := &process{spec: spec, cmd: cmd, started: time.Now(), done: make(chan struct{})}
	pid := fmt.Appendf(nil, "%d\n", cmd.Process.Pid)
	if err := os.WriteFile(s.pidFile(spec.Name), pid, 0o644); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	go s.reap(p)
	return p, nil
}

func (s *Supervisor) reap(p *process) {
	_ = p.cmd.Wait()
	s.mu.Lock()
	meant := p.meant
	_ = os.Remove(s.pidFile(p.spec.Name))
	close(p.done)
	s.mu.Unlock()
	if !meant {
		s.crashed <- Crash{Component: p.spec.Name, State: p.cmd.ProcessState.String(), Log: s.LogFile(p.spec.Name)}
	}
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// stop asks the process to end and kills it if it has not after the grace period. It tells
// whether that was needed.
func (p *process) stop(grace time.Duration) (killed bool) {
	signal := p.spec.StopSignal
	if signal == 0 {
		signal = syscall.SIGTERM
	}
	_ = p.cmd.Process.Signal(signal)
	// A component that was frozen on purpose would not see the signal.
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	select {
	case <-p.done:
		return false
	case <-time.After(grace):
		_ = p.cmd.Process.Kill()
		<-p.done
		return true
	}
}

func (s *Supervisor) pidFile(name string) string { return filepath.Join(s.o.PidDir, name+".pid") }

// LogFile is where a component's output goes.
func (s *Supervisor) LogFile(name string) string { return filepath.Join(s.o.LogDir, name+".log") }
