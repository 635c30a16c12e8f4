package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"devcluster/internal/control"
)

// PrintStatus prints what runs in dir; control.ErrNotRunning says that nothing does.
func PrintStatus(ctx context.Context, w io.Writer, dir string, asJSON bool) error {
	l, err := NewLayout(dir)
	if err != nil {
		return err
	}
	status, err := control.GetStatus(ctx, l.Dir)
	if err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(status)
	}
	fmt.Fprintf(w, "cluster     %s\nready       %t\nnode        %s: %s\nAPI server  %s\nsupervisor  pid %d\n",
		status.Dir, status.Ready, status.Node, status.Why, status.APIServer, status.Supervisor)
	for _, component := range status.Components {
		state := "stopped on request"
		if component.Running {
			state = fmt.Sprintf("pid %d, for %s", component.Pid, time.Since(component.Started).Round(time.Second))
		}
		fmt.Fprintf(w, "  %-24s %s\n", component.Name, state)
	}
	return nil
}

// Kill sends a signal to a component of the cluster in dir.
func Kill(ctx context.Context, dir, component, signal string) error {
	l, err := NewLayout(dir)
	if err != nil {
		return err
	}
	number, err := ParseSignal(signal)
	if err != nil {
		return err
	}
	return control.Kill(ctx, l.Dir, component, number)
}

// Restart restarts a component of the cluster in dir and waits until it is ready.
func Restart(ctx context.Context, dir, component string) error {
	l, err := NewLayout(dir)
	if err != nil {
		return err
	}
	return control.Restart(ctx, l.Dir, component)
}
