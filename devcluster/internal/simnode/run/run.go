//go:build kubernetes

// Package run runs kwok's controllers with our stages. It is apart from package simnode because
// it links most of the Kubernetes client.
package run

import (
	"context"
	"fmt"
	"os"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/client/clientset/versioned"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/kwok/controllers"
	"sigs.k8s.io/kwok/pkg/log"
	kwokclient "sigs.k8s.io/kwok/pkg/utils/client"

	"devcluster/internal/simnode"
)

const (
	podAddresses = "10.77.0.0/16"
	nodeAddress  = "127.0.0.1"
)

// Run simulates the annotated nodes of a cluster until the context ends. kwok's own server
// package is left out: it does not compile against this Kubernetes release.
func Run(ctx context.Context, kubeconfig string) error {
	ctx = log.NewContext(ctx, log.NewLogger(os.Stderr, log.LevelWarn))
	stages := map[internalversion.StageResourceRef][]*internalversion.Stage{}
	for _, document := range simnode.Stages() {
		stage, err := kwokconfig.UnmarshalWithType[*internalversion.Stage](document)
		if err != nil {
			return fmt.Errorf("read a stage of the simulated nodes: %w", err)
		}
		stages[stage.Spec.ResourceRef] = append(stages[stage.Spec.ResourceRef], stage)
	}
	config, err := controllerConfig(kubeconfig)
	if err != nil {
		return fmt.Errorf("connect the simulated nodes with kubeconfig %s: %w", kubeconfig, err)
	}
	config.LocalStages = stages
	controller, err := controllers.NewController(config)
	if err != nil {
		return fmt.Errorf("set up the simulated nodes: %w", err)
	}
	if err := controller.Start(ctx); err != nil {
		return fmt.Errorf("start the simulated nodes: %w", err)
	}
	<-ctx.Done()
	return nil
}

func controllerConfig(kubeconfig string) (controllers.Config, error) {
	none := controllers.Config{}
	clients, err := kwokclient.NewClientset("", kubeconfig)
	if err != nil {
		return none, err
	}
	restConfig, err := clients.ToRESTConfig()
	if err != nil {
		return none, err
	}
	dynamic, err := clients.ToDynamicClient()
	if err != nil {
		return none, err
	}
	mapper, err := clients.ToRESTMapper()
	if err != nil {
		return none, err
	}
	restClient, err := rest.RESTClientFor(restConfig)
	if err != nil {
		return none, err
	}
	typed, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return none, err
	}
	typedKwok, err := versioned.NewForConfig(restConfig)
	if err != nil {
		return none, err
	}
	id, err := controllers.Identity()
	if err != nil {
		return none, err
	}
	return controllers.Config{
		Clock: clock.RealClock{}, ID: id,
		DynamicClient: dynamic, RESTClient: restClient, RESTMapper: mapper,
		ImpersonatingDynamicClient: clients.ToImpersonatingDynamicClient(),
		ImpersonatingTypedClient:   clients.ToImpersonatingTypedClient(),
		TypedClient:                typed, TypedKwokClient: typedKwok,
		ManageNodesWithAnnotationSelector: simnode.ManagedBy, CIDR: podAddresses, NodeIP: nodeAddress,
		PodPlayStageParallelism: 16, NodePlayStageParallelism: 4,
		NodeLeaseParallelism: 4, NodeLeaseDurationSeconds: 40, PodsOnNodeSyncParallelism: 4,
	}, nil
}
