package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"devcluster/internal/image"
	"devcluster/internal/node"
	"devcluster/internal/ports"
)

// The ports of the components inside a real node's network namespace, which they have for themselves.
const (
	realAPIPort       = 6443
	realEtcdPort      = 2379
	realEtcdPeerPort  = 2380
	realKCMPort       = 10257
	realSchedulerPort = 10259
)

const helperName = "helper"

func (l Layout) nodeStorage() string { return l.path("node") }

// settleReal makes the node's namespaces and puts the control plane into them.
func (c *running) settleReal(lease *ports.Lease) error {
	var err error
	c.node, err = node.New(node.Options{
		ID: c.l.ID(), Storage: c.l.nodeStorage(), Helper: filepath.Join(filepath.Dir(c.program), helperName),
		PKI: c.l.pki, Kubeconfig: c.l.kubeconfig, ServiceNetwork: serviceAddresses, Say: c.report.say,
	})
	if err != nil {
		return fmt.Errorf("prepare a real node: %w", err)
	}
	c.place = &place{
		thread: c.node.Thread(), dial: c.node.Dial,
		apiPort: realAPIPort, etcdPort: realEtcdPort, etcdPeerPort: realEtcdPeerPort, kcmPort: realKCMPort, schedulerPort: realSchedulerPort,
		bind: "0.0.0.0", advertise: node.Address, endpoints: true,
		outerURL: fmt.Sprintf("https://%s:%d", loopback, lease.Port(0)),
	}
	_, err = c.node.Forward(lease.Port(0), fmt.Sprintf("%s:%d", loopback, realAPIPort))
	return err
}

// startRuntime starts what must be there before anything else in the node: its process 1, then containerd.
func (c *running) startRuntime(ctx context.Context) error {
	if err := c.sup.Start(c.node.Init()); err != nil {
		return err
	}
	if err := c.awaitThat(ctx, "the node's process 1 runs", c.node.InitStarted); err != nil {
		return err
	}
	containerd, err := c.node.Containerd()
	if err != nil {
		return err
	}
	return c.sup.Start(containerd)
}

// startRealNode brings in the images and starts kubelet and kube-proxy.
func (c *running) startRealNode(ctx context.Context) error {
	if err := c.sup.Start(c.node.Proxy(c.program)); err != nil {
		return err
	}
	if err := c.awaitThat(ctx, "containerd listens", c.node.ContainerdStarted); err != nil {
		return err
	}
	if err := c.loadImages(ctx); err != nil {
		return err
	}
	if err := c.sup.Start(c.node.Kubelet(c.program, c.o.KubeletArgs)); err != nil {
		return err
	}
	return c.await(ctx, c.probe("node "+node.Name+" is ready", "/api/v1/nodes/"+node.Name, `"reason":"KubeletReady"`))
}

func (c *running) loadImages(ctx context.Context) error {
	helper, err := image.File(filepath.Join(filepath.Dir(c.program), helperName), "/pause")
	if err != nil {
		return err
	}
	busybox, err := image.Busybox()
	if err != nil {
		return err
	}
	for _, spec := range []image.Spec{
		{Name: node.PauseImage, Entrypoint: []string{"/pause"}, User: "65535:65535", Entries: []image.Entry{helper}},
		{Name: node.BusyboxImage, Command: []string{"/bin/sh"}, Entries: busybox},
	} {
		var archive bytes.Buffer
		if err := image.Write(&archive, spec); err != nil {
			return err
		}
		if err := node.Load(ctx, c.l.ID(), &archive); err != nil {
			return err
		}
		c.report.say("image %s loaded", spec.Name)
	}
	for _, file := range c.o.Images {
		if err := loadFile(ctx, c.l, file); err != nil {
			return err
		}
		c.report.say("image archive %s loaded", file)
	}
	return nil
}

// awaitThat waits for a condition that is no web server's answer.
func (c *running) awaitThat(ctx context.Context, what string, holds func() bool) error {
	for !holds() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited until %s: %w; the logs are in %s", what, context.Cause(ctx), c.l.logs())
		case crash := <-c.sup.Crashed():
			return crash
		case <-time.After(pollInterval):
		}
	}
	c.report.say("%s", what)
	return nil
}

// LoadImage puts an image archive into the real node of the cluster in dir.
func LoadImage(ctx context.Context, dir, file string) error {
	l, err := NewLayout(dir)
	if err != nil {
		return err
	}
	rec, err := l.readRecord()
	if err != nil {
		return err
	}
	if !rec.Running {
		return fmt.Errorf("no cluster runs in %s", l.Dir)
	}
	if rec.Node != NodeReal {
		return errors.New("the cluster in " + l.Dir + " has simulated nodes, which run no images: any name will do in a Pod")
	}
	return loadFile(ctx, l, file)
}

func loadFile(ctx context.Context, l Layout, file string) error {
	archive, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("image archive: %w", err)
	}
	defer archive.Close()
	return node.Load(ctx, l.ID(), io.Reader(archive))
}
