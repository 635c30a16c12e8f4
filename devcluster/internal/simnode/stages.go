// Package simnode says how simulated nodes behave: what the Node objects look like and through
// which stages their Pods go. The controllers that act on it are kwok's; see Run.
package simnode

import (
	_ "embed"

	nodestages "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	podstages "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
)

// Annotations of a Pod that say how it ends; README.md describes them.
const (
	AnnotationExitCode = "devcluster/exit-code"
	AnnotationMessage  = "devcluster/message"
	AnnotationReason   = "devcluster/reason"
	AnnotationDuration = "devcluster/duration"
	AnnotationHang     = "devcluster/hang"
)

var (
	//go:embed stages/job-pod-end.yaml
	jobPodEnd string
	//go:embed stages/pod-terminated.yaml
	podTerminated string
	//go:embed stages/pod-gone.yaml
	podGone string
)

// Stages are the YAML documents of every stage: kwok's own where they fit.
func Stages() []string {
	return []string{nodestages.DefaultNodeInit, podstages.DefaultPodReady, jobPodEnd, podTerminated, podGone}
}
