package dispatch

import (
	"slices"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	known := func(name string) bool { return slices.Contains([]string{"kubectl", "up", "help"}, name) }
	for _, c := range []struct{ argv, name, args string }{
		{"/cache/abc/devcluster up --dir x", "up", "--dir x"},
		{"/tmp/x/bin/kubectl get pods", "kubectl", "get pods"},
		{"kubectl up", "kubectl", "up"},
		{"devcluster kubectl up", "kubectl", "up"},
		{"devcluster --help", "help", ""},
		{"devcluster", "", ""},
		{"devcluster upp", "", ""},
	} {
		name, args, ok := Choose(strings.Fields(c.argv), known)
		if ok != (c.name != "") || ok && (name != c.name || strings.Join(args, " ") != c.args) {
			t.Errorf("%q: %q %q %v", c.argv, name, args, ok)
		}
	}
}
