package cluster

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"devcluster/internal/simnode"
	"devcluster/internal/supervise"
)

// restartPatience is how long a restarted component may take to be ready again.
const restartPatience = 3 * time.Minute

// startAll starts every part and returns when Pods can run.
func (c *running) startAll(ctx context.Context) error {
	if c.node != nil {
		if err := c.startRuntime(ctx); err != nil {
			return err
		}
	}
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	if c.node != nil {
		return c.startRealNode(ctx)
	}
	return c.startSimulatedNodes(ctx)
}

func (c *running) startControlPlane(ctx context.Context) error {
	p, self := c.place, c.component
	apiReady := c.probe("kube-apiserver answers /readyz", "/readyz", "")
	// The API server waits for etcd by itself: both start at once.
	if err := c.sup.Start(self(etcd, etcdArgs(c.l, p, c.o), c.probe("etcd answers the API server", "/readyz/etcd", ""))); err != nil {
		return err
	}
	if err := c.sup.Start(self(apiServer, apiServerArgs(c.l, p, c.o), apiReady)); err != nil {
		return err
	}
	if err := c.await(ctx, apiReady); err != nil {
		return err
	}
	kcmReady := health("kube-controller-manager", p.kcmPort, p.healthClient())
	schedulerReady := health("kube-scheduler", p.schedulerPort, p.healthClient())
	if err := c.sup.Start(self(controllerManager, controllerManagerArgs(c.l, p, c.o), kcmReady)); err != nil {
		return err
	}
	if err := c.sup.Start(self(scheduler, schedulerArgs(c.l, p, c.o), schedulerReady)); err != nil {
		return err
	}
	// The default service account comes last of what a Pod needs.
	account := c.probe("the default service account is there", "/api/v1/namespaces/default/serviceaccounts/default", "")
	for _, ready := range []probe{kcmReady, schedulerReady, account} {
		if err := c.await(ctx, ready); err != nil {
			return err
		}
	}
	return nil
}

func (c *running) startSimulatedNodes(ctx context.Context) error {
	spec := c.component(simulatedNode, []string{"--kubeconfig=" + c.l.kubeconfig(simulatedNode)}, probe{})
	if err := c.sup.Start(spec); err != nil {
		return err
	}
	nodes := c.place.outerURL + "/api/v1/nodes"
	for n := range c.o.Nodes {
		if err := post(ctx, c.api, nodes, simnode.NodeManifest(simnode.NodeName(n+1))); err != nil {
			return fmt.Errorf("make a simulated node: %w", err)
		}
	}
	for n := range c.o.Nodes {
		name := simnode.NodeName(n + 1)
		if err := c.await(ctx, c.probe("node "+name+" is ready", "/api/v1/nodes/"+name, `"reason":"KubeletReady"`)); err != nil {
			return err
		}
	}
	return nil
}

// component is the Spec of a part of this multicall binary.
func (c *running) component(name string, args []string, ready probe) supervise.Spec {
	spec := supervise.Spec{Name: name, Path: c.program, Args: args}
	if ready.url != "" {
		spec.Ready = func() error {
			ctx, cancel := context.WithTimeout(context.Background(), restartPatience)
			defer cancel()
			// A crash elsewhere is for the main loop to handle, not for a restart.
			return await(ctx, nil, ready)
		}
	}
	return spec
}

// probe asks the API server as administrator.
func (c *running) probe(what, path, holds string) probe {
	return probe{what: what, url: c.place.outerURL + path, holds: holds, client: c.api}
}

func health(name string, port int, client *http.Client) probe {
	return probe{what: name + " answers /healthz", url: fmt.Sprintf("https://%s:%d/healthz", loopback, port), client: client}
}

func (c *running) await(ctx context.Context, p probe) error {
	if err := await(ctx, c.sup.Crashed(), p); err != nil {
		return err
	}
	c.report.say("%s", p.what)
	return nil
}
