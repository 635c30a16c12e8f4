package cluster

import (
	"errors"
	"fmt"
	"strings"

	"devcluster/internal/node"
)

// chooseNode decides between a real and a simulated node and says why.
func chooseNode(wanted string) (kind, why string, err error) {
	if wanted == NodeSimulated {
		return NodeSimulated, "asked for with --node simulated", nil
	}
	missing := node.Missing()
	switch {
	case len(missing) == 0 && wanted == NodeReal:
		return NodeReal, "asked for with --node real", nil
	case len(missing) == 0:
		return NodeReal, "this machine has all a real one needs", nil
	case wanted == NodeReal:
		return "", "", errors.New("no real node on this machine: " + strings.Join(missing, "; ") +
			". On Debian, devcluster/setup as root installs the packages; --node simulated needs none")
	default:
		return NodeSimulated, fmt.Sprintf("a real one needs more than this machine has: %s", strings.Join(missing, "; ")), nil
	}
}
