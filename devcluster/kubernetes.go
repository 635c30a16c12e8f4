//go:build kubernetes

// The files with this build tag link Kubernetes. The wrapper script sets it; without it,
// "go test ./..." and "go vet ./..." compile our own code alone, in seconds.

package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // CronJob time zones

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // version metric
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"go.etcd.io/etcd/server/v3/etcdmain"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"

	simulatednode "devcluster/internal/simnode/run"
)

func init() {
	commands["etcd"] = func([]string) error { etcdmain.Main(os.Args); return nil }
	commands["kube-apiserver"] = component(apiserver.NewAPIServerCommand)
	commands["kube-controller-manager"] = component(controllermanager.NewControllerManagerCommand)
	commands["kube-scheduler"] = component(func() *cobra.Command { return scheduler.NewSchedulerCommand() })
	commands["kubelet"] = component(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) })
	commands["kube-proxy"] = component(kubeproxy.NewProxyCommand)
	commands["kubectl"] = runKubectl
	commands["simulated-node"] = runSimulatedNode
}

func component(command func() *cobra.Command) func([]string) error {
	return func([]string) error {
		if code := cli.Run(command()); code != 0 {
			return status(code)
		}
		return nil
	}
}

func runKubectl([]string) error {
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err) // prints and exits
	}
	return nil
}

func runSimulatedNode(args []string) error {
	fs := flag.NewFlagSet("simulated-node", flag.ContinueOnError)
	kubeconfig := fs.String("kubeconfig", "", "kubeconfig file")
	if err := fs.Parse(args); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	if err := simulatednode.Run(ctx, *kubeconfig); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
