// Package supervise starts, watches, kills, restarts and stops the components of a cluster.
package supervise

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"devcluster/internal/osthread"
)

// endPatience is for a component that got a signal on request: etcd, for one, first waits for its
// clients to go.
const endPatience = time.Minute

// Options of a Supervisor.
type Options struct {
	Thread *osthread.Thread // starts every component, so that they live in its namespaces
	// ProcessNamespace tells that Thread starts processes in a namespace of their own.
	ProcessNamespace bool
	LogDir           string
	PidDir           string
	WorkDir          string
	Env              []string      // added to the environment of every component
	Grace            time.Duration // between asking a component to end and killing it
	Say              func(format string, args ...any)
}

// Crash is the end of a component that nobody asked for.
type Crash struct{ Component, State, Log string }

func (c Crash) Error() string {
	return fmt.Sprintf("%s ended by itself (%s): its last words are in %s", c.Component, c.State, c.Log)
}

// Status of one component.
type Status struct {
	Name    string    `json:"name"`
	Pid     int       `json:"pid,omitempty"`
	Running bool      `json:"running"`
	Started time.Time `json:"started"`
}

// Supervisor holds the components in the order of their start.
type Supervisor struct {
	o       Options
	mu      sync.Mutex
	order   []string
	procs   map[string]*process
	crashed chan Crash
}

// New makes a Supervisor without components.
func New(o Options) *Supervisor {
	return &Supervisor{o: o, procs: map[string]*process{}, crashed: make(chan Crash, 64)}
}

// Crashed delivers the components that ended although nobody asked them to.
func (s *Supervisor) Crashed() <-chan Crash { return s.crashed }

// Start starts a component.
func (s *Supervisor) Start(spec Spec) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.procs[spec.Name]; old != nil && old.running() {
		return fmt.Errorf("start %s: it runs already, pid %d", spec.Name, old.cmd.Process.Pid)
	}
	p, err := s.launch(spec)
	if err != nil {
		return err
	}
	if !slices.Contains(s.order, spec.Name) {
		s.order = append(s.order, spec.Name)
	}
	s.procs[spec.Name] = p
	s.o.Say("%s started, pid %d", spec.Name, p.cmd.Process.Pid)
	return nil
}

// find answers the component, marked so that its end is no crash.
func (s *Supervisor) find(name string) (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.procs[name]
	if p == nil {
		return nil, fmt.Errorf("no component %q in this cluster: it has %s", name, strings.Join(s.order, ", "))
	}
	p.meant = true
	return p, nil
}

// Kill sends a signal to a component and, where the signal ends processes, waits for its end.
func (s *Supervisor) Kill(name string, signal syscall.Signal) error {
	p, err := s.find(name)
	if err != nil {
		return err
	}
	if !p.running() {
		return fmt.Errorf("%s does not run: start it with `devcluster restart`", name)
	}
	if err := p.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("send signal %d to %s: %w", signal, name, err)
	}
	s.o.Say("%s got signal %d (%s) on request", name, signal, signal)
	if signal != syscall.SIGKILL && signal != syscall.SIGTERM && signal != syscall.SIGINT {
		return nil
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(endPatience):
		return fmt.Errorf("%s still runs %s after signal %d: its log is %s", name, endPatience, signal, s.LogFile(name))
	}
}

// Restart stops a component if it runs, starts it with the same arguments and waits until it is ready.
func (s *Supervisor) Restart(name string) error {
	p, err := s.find(name)
	if err != nil {
		return err
	}
	if p.running() {
		p.stop(s.o.Grace)
	}
	if err := s.Start(p.spec); err != nil {
		return err
	}
	if p.spec.Ready == nil {
		return nil
	}
	if err := p.spec.Ready(); err != nil {
		return fmt.Errorf("%s was restarted but is not ready: %w", name, err)
	}
	s.o.Say("%s is ready again", name)
	return nil
}

// StopAll ends the components in the reverse order of their start.
func (s *Supervisor) StopAll() {
	s.mu.Lock()
	order := slices.Clone(s.order)
	s.mu.Unlock()
	slices.Reverse(order)
	for _, name := range order {
		p, err := s.find(name)
		if err != nil || !p.running() {
			continue
		}
		if p.stop(s.o.Grace) {
			s.o.Say("%s did not end within %s: killed", name, s.o.Grace)
		} else {
			s.o.Say("%s stopped", name)
		}
	}
}

// Status of all components in the order of their start.
func (s *Supervisor) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Status, 0, len(s.order))
	for _, name := range s.order {
		p := s.procs[name]
		status := Status{Name: name, Running: p.running(), Started: p.started}
		if status.Running {
			status.Pid = p.cmd.Process.Pid
		}
		list = append(list, status)
	}
	return list
}
