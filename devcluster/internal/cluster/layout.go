package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// Layout is where a cluster keeps its files.
type Layout struct{ Dir string }

// NewLayout makes the directory's name absolute and free of symbolic links, so that one cluster
// has one name.
func NewLayout(dir string) (Layout, error) {
	if dir == "" {
		return Layout{}, fmt.Errorf("which cluster? Give --dir DIR, or set %s", DirVariable)
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return Layout{}, fmt.Errorf("directory %s: %w", dir, err)
	}
	if resolved, err := filepath.EvalSymlinks(absolute); err == nil {
		absolute = resolved
	}
	return Layout{absolute}, nil
}

// DirVariable is the environment variable for --dir.
const DirVariable = "DEVCLUSTER_DIR"

// ID tells clusters apart where names must be short: cgroups, socket paths.
func (l Layout) ID() string {
	sum := sha256.Sum256([]byte(l.Dir))
	return hex.EncodeToString(sum[:4])
}

func (l Layout) path(names ...string) string {
	return filepath.Join(append([]string{l.Dir}, names...)...)
}

func (l Layout) logs() string               { return l.path("logs") }
func (l Layout) pids() string               { return l.path("pids") }
func (l Layout) pki(file string) string     { return l.path("pki", file) }
func (l Layout) config(file string) string  { return l.path("config", file) }
func (l Layout) etcdData() string           { return l.path("etcd") }
func (l Layout) readyFile() string          { return l.path("ready") }
func (l Layout) auditLog() string           { return l.path("audit.log") }
func (l Layout) lockFile() string           { return l.path("lock") }
func (l Layout) recordFile() string         { return l.path("cluster.json") }
func (l Layout) kubeconfig(n string) string { return l.path("config", n+".kubeconfig") }

// AdminKubeconfig is the one for people and tests.
func (l Layout) AdminKubeconfig() string { return l.path("admin.kubeconfig") }

func (l Layout) make() error {
	for _, dir := range []string{l.Dir, l.logs(), l.pids(), l.path("config"), l.path("bin"), l.etcdData()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the cluster's directory: %w", err)
		}
	}
	return nil
}

// removeOldLogs keeps what an earlier cluster said from being taken for what this one says. The
// detaching process has opened up.log anew already.
func (l Layout) removeOldLogs() {
	files, _ := filepath.Glob(filepath.Join(l.logs(), "*.log"))
	for _, file := range files {
		if filepath.Base(file) != upLog {
			_ = os.Remove(file)
		}
	}
}

const upLog = "up.log"
