// Package cluster brings a cluster up, watches over it and takes it down.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"devcluster/internal/control"
	"devcluster/internal/node"
	"devcluster/internal/pki"
	"devcluster/internal/ports"
	"devcluster/internal/supervise"
)

// stopGrace is short: an API server waits for its last open connection, which may be a watch that never ends.
const stopGrace = 6 * time.Second

// running is a cluster as its supervisor knows it.
type running struct {
	o       Options
	l       Layout
	report  *reporter
	program string // this multicall binary
	kind    string // real or simulated
	why     string
	place   *place
	node    *node.Node // nil with simulated nodes
	sup     *supervise.Supervisor
	api     *http.Client
	stop    context.CancelCauseFunc

	mu    sync.Mutex
	ready bool
}

// Causes of an orderly end.
var (
	errAsked      = errors.New("asked to stop by `devcluster down`")
	errParentGone = errors.New("the process that started this cluster is gone")
)

// Up runs a cluster until it is asked to stop. With --detach it returns when the cluster is ready.
func Up(o Options) error {
	l, err := NewLayout(o.Dir)
	if err != nil {
		return err
	}
	if o.Detach {
		return detach(l, o)
	}
	report := newReporter()
	err = up(l, o, report)
	report.failed(err)
	return err
}

func up(l Layout, o Options, report *reporter) error {
	// A reader of our output that went away must not end the cluster unordered.
	signal.Ignore(syscall.SIGPIPE)
	parentGone, err := watchParent(o)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	go stopOnSignal(stop)
	go func() { <-parentGone; stop(errParentGone) }()

	if err := l.make(); err != nil {
		return err
	}
	held, err := takeOver(l)
	if err != nil {
		return err
	}
	defer held.release()
	l.removeOldLogs()
	c := &running{o: o, l: l, report: report, stop: stop}
	return c.run(ctx, held)
}

func stopOnSignal(stop context.CancelCauseFunc) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	received := <-signals
	stop(fmt.Errorf("got signal %q", received))
}

// takeOver locks the directory and cleans up after a cluster that did not end in order.
func takeOver(l Layout) (*lock, error) {
	held, err := l.tryLock()
	if errors.Is(err, errLocked) {
		if _, running := control.GetStatus(context.Background(), l.Dir); running != nil {
			// Whoever has the lock does not listen: it is just stopping.
			held, err = l.waitLock(stopPatience)
		}
	}
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("a cluster runs in %s: look with `devcluster status --dir %[1]s`, stop it with `devcluster down --dir %[1]s`", l.Dir)
	}
	if err != nil {
		return nil, err
	}
	if err := Cleanup(l); err != nil {
		held.release()
		return nil, err
	}
	return held, nil
}

func (c *running) run(ctx context.Context, held *lock) error {
	var err error
	if c.program, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program's own file: %w", err)
	}
	if c.kind, c.why, err = chooseNode(c.o.Node); err != nil {
		return err
	}
	old, err := c.l.readRecord()
	if err != nil {
		return err
	}
	lease, err := ports.Acquire(old.PortBase)
	if err != nil {
		return err
	}
	defer lease.Release()
	start, err := startTicks(os.Getpid())
	if err != nil {
		return err
	}
	rec := record{Node: c.kind, Supervisor: os.Getpid(), SupervisorStart: start, PortBase: lease.Base, Running: true}
	if err := c.l.writeRecord(rec); err != nil {
		return err
	}
	if err := os.WriteFile(c.l.path("pids", "supervisor.pid"), fmt.Appendf(nil, "%d\n", os.Getpid()), 0o644); err != nil {
		return err
	}
	janitor, err := startJanitor(c.l, c.program, held)
	if err != nil {
		return err
	}
	if err = c.live(ctx, lease); err != nil {
		c.stop(err) // where something else was the cause already, that one counts
	}
	c.setReady(false)
	c.report.say("stopping: %v", context.Cause(ctx))
	if c.sup != nil {
		c.sup.StopAll()
	}
	err = errors.Join(err, janitor.finish())
	c.report.say("stopped; nothing runs any more")
	return err
}

// live starts everything and returns when the cluster is to be stopped.
func (c *running) live(ctx context.Context, lease *ports.Lease) error {
	c.report.say("%s node: %s", c.kind, c.why)
	if err := c.settle(lease); err != nil {
		return err
	}
	listener, err := control.Listen(c.l.Dir, c.controls())
	if err != nil {
		return err
	}
	defer listener.Close()
	startCtx, cancel := context.WithTimeoutCause(ctx, c.o.StartTimeout,
		fmt.Errorf("not ready after %s (--start-timeout); the logs are in %s", c.o.StartTimeout, c.l.logs()))
	defer cancel()
	if err := c.startAll(startCtx); err != nil {
		return err
	}
	if err := os.WriteFile(c.l.readyFile(), nil, 0o644); err != nil {
		return err
	}
	c.setReady(true)
	c.report.say("ready: export KUBECONFIG=%s", c.l.AdminKubeconfig())
	c.report.done()
	select {
	case <-ctx.Done():
		return nil
	case crash := <-c.sup.Crashed():
		return crash
	}
}

// settle prepares the place, the certificates and the files that components read.
func (c *running) settle(lease *ports.Lease) error {
	var err error
	if c.kind == NodeReal {
		err = c.settleReal(lease)
	} else {
		c.place, err = hostPlace(lease)
	}
	if err != nil {
		return err
	}
	err = pki.Make(pki.Options{
		Dir: c.l.Dir, NodeName: node.Name, ValidityDays: 365,
		ServerIPs:   []net.IP{net.ParseIP(loopback), net.ParseIP(serviceAddress), net.ParseIP(node.Address)},
		ServerNames: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
	})
	if err != nil {
		return err
	}
	if err := c.writeFiles(); err != nil {
		return err
	}
	clientTLS, err := pki.ClientTLS(c.l.Dir, "admin")
	if err != nil {
		return err
	}
	c.api = apiClient(clientTLS)
	c.sup = supervise.New(supervise.Options{
		Thread: c.place.thread, ProcessNamespace: c.node != nil, LogDir: c.l.logs(), PidDir: c.l.pids(), WorkDir: c.l.Dir,
		Env: []string{ownerVariable + "=" + c.l.Dir}, Grace: stopGrace, Say: c.report.say,
	})
	return nil
}

func (c *running) writeFiles() error {
	for _, client := range pki.Clients {
		if err := pki.WriteKubeconfig(c.l.Dir, client, c.place.innerURL(), c.l.kubeconfig(client)); err != nil {
			return err
		}
	}
	if err := pki.WriteKubeconfig(c.l.Dir, "admin", c.place.outerURL, c.l.AdminKubeconfig()); err != nil {
		return err
	}
	if err := os.WriteFile(c.l.config(auditPolicyFile), []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	links := map[string]string{c.l.path("bin", "kubectl"): c.program, c.l.path("bin", "helm"): c.program, c.l.path("kubeconfig"): "admin.kubeconfig"}
	for name, target := range links {
		_ = os.Remove(name)
		if err := os.Symlink(target, name); err != nil {
			return fmt.Errorf("link %s: %w", name, err)
		}
	}
	return nil
}

func (c *running) setReady(ready bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = ready
	if !ready {
		_ = os.Remove(c.l.readyFile())
	}
}

func (c *running) controls() control.Server {
	return control.Server{
		Status: func() control.Status {
			c.mu.Lock()
			defer c.mu.Unlock()
			return control.Status{
				Dir: c.l.Dir, Node: c.kind, Why: c.why, APIServer: c.place.outerURL, Ready: c.ready,
				Supervisor: os.Getpid(), Components: c.sup.Status(),
			}
		},
		Kill: c.sup.Kill, Restart: c.sup.Restart,
		Stop: func() { c.stop(errAsked) },
	}
}
