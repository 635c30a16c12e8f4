package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
)

const (
	// PauseImage holds the helper; every Pod's sandbox runs it.
	PauseImage = "localhost/pause:dev"
	// BusyboxImage is there for workloads.
	BusyboxImage = "localhost/busybox:dev"

	containerdNamespace = "k8s.io" // the one that the kubelet sees
)

// Load puts an image archive into a node's containerd.
func Load(ctx context.Context, id string, archive io.Reader) error {
	cmd := exec.CommandContext(ctx, "ctr", "--address", Socket(id), "--namespace", containerdNamespace, "images", "import", "-")
	cmd.Stdin = archive
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("load an image with ctr: %w: %s", err, bytes.TrimSpace(output.Bytes()))
	}
	return nil
}
