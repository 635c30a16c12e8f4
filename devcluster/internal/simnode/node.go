package simnode

import (
	"encoding/json"
	"fmt"
)

// ManagedBy is the annotation by which the controllers know their nodes, as key=value.
const ManagedBy = nodeAnnotation + "=" + nodeAnnotationValue

const (
	nodeAnnotation      = "kwok.x-k8s.io/node"
	nodeAnnotationValue = "fake"
)

// NodeName is the name of the n-th simulated node, counted from 1.
func NodeName(n int) string { return fmt.Sprintf("simulated-%d", n) }

// NodeManifest is the Node object of a simulated node, as JSON. It is large: the number of Pods
// that fit is not what a test of an operator is about.
func NodeManifest(name string) []byte {
	resources := map[string]string{"cpu": "1000", "memory": "4Ti", "ephemeral-storage": "4Ti", "pods": "10000"}
	manifest, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Node",
		"metadata": map[string]any{
			"name":        name,
			"annotations": map[string]string{nodeAnnotation: nodeAnnotationValue},
			"labels": map[string]string{
				"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
				"devcluster/node": "simulated",
			},
		},
		"status": map[string]any{"allocatable": resources, "capacity": resources},
	})
	if err != nil {
		panic(err) // only strings and maps: cannot fail
	}
	return manifest
}
