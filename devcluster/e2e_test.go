package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"devcluster/internal/cluster"
)

// The end-to-end tests run the program as the wrapper script builds it. They take as long as the
// clusters they start, and are asked for with DEVCLUSTER_E2E=1.
func program(t *testing.T) string {
	t.Helper()
	if os.Getenv("DEVCLUSTER_E2E") != "1" {
		t.Skip("starts clusters: asked for with DEVCLUSTER_E2E=1")
	}
	output, err := exec.Command("./devcluster", "path").Output()
	if err != nil {
		t.Fatalf("build: %v %s", err, output)
	}
	return strings.TrimSpace(string(output))
}

type testCluster struct {
	t       *testing.T
	program string
	dir     string
}

func startCluster(t *testing.T, program string, flags ...string) testCluster {
	t.Helper()
	c := testCluster{t, program, filepath.Join(t.TempDir(), "cluster")}
	t.Cleanup(func() { _ = exec.Command(program, "down", "--dir", c.dir).Run() })
	c.run(program, append([]string{"up", "--dir", c.dir, "--detach", "--die-with-parent"}, flags...)...)
	return c
}

func (c testCluster) run(name string, args ...string) string {
	c.t.Helper()
	output, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		c.t.Errorf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, output)
	}
	return string(output)
}

func (c testCluster) kubectl(args ...string) string {
	c.t.Helper()
	return c.run(filepath.Join(c.dir, "bin", "kubectl"), append([]string{"--kubeconfig", filepath.Join(c.dir, "admin.kubeconfig")}, args...)...)
}

func (c testCluster) apply(manifest string) {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.kubectl("apply", "-f", file)
}

func (c testCluster) pid(component string) int {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.dir, "pids", component+".pid"))
	if err != nil {
		c.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		c.t.Fatal(err)
	}
	return pid
}

// mentioned are the living processes whose command line names the cluster's directory.
func (c testCluster) mentioned() []string {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	var found []string
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil && strings.Contains(string(data), c.dir) {
			found = append(found, strings.ReplaceAll(string(data), "\x00", " "))
		}
	}
	return found
}

func (c testCluster) awaitNothingLeft() {
	c.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for len(c.mentioned()) > 0 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if left := c.mentioned(); len(left) > 0 {
		c.t.Errorf("still running: %q", left)
	}
	if _, err := os.Stat(filepath.Join(c.dir, "ready")); err == nil {
		c.t.Error("still called ready")
	}
}

func kill9(t *testing.T, pid int) {
	t.Helper()
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

const endingJob = `
apiVersion: batch/v1
kind: Job
metadata: {name: ends}
spec:
  backoffLimit: 0
  template:
    metadata:
      annotations: {devcluster/exit-code: "%d", devcluster/message: "line \"1\"\nzwei é", devcluster/duration: 300ms}
    spec: {restartPolicy: Never, containers: [{name: main, image: any}]}
`

func TestSimulatedClustersSideBySide(t *testing.T) {
	binary := program(t)
	var clusters [2]testCluster
	var wg sync.WaitGroup
	for i := range clusters {
		wg.Go(func() { clusters[i] = startCluster(t, binary, "--node", "simulated") })
	}
	wg.Wait()
	for i, c := range clusters {
		c.apply(fmt.Sprintf(endingJob, i+3))
	}
	for i, c := range clusters {
		c.kubectl("wait", "--for=condition=Failed", "job/ends", "--timeout=30s")
		got := c.kubectl("get", "pod", "-l", "job-name=ends", "-o", "jsonpath={.items[*].status.containerStatuses[*].state.terminated['exitCode','message']}")
		if want := fmt.Sprintf("%d line \"1\"\nzwei é", i+3); got != want {
			t.Errorf("cluster %d: Pod ended with %q, wanted %q", i, got, want)
		}
	}
	kill9(t, clusters[0].pid("supervisor"))
	clusters[0].awaitNothingLeft()
	clusters[1].kubectl("get", "--raw", "/readyz")
	clusters[1].run(binary, "down", "--dir", clusters[1].dir)
	clusters[1].run(binary, "down", "--dir", clusters[1].dir)
	clusters[1].awaitNothingLeft()
}

func TestComponentsComeAndGoOnRequest(t *testing.T) {
	binary := program(t)
	c := startCluster(t, binary, "--node", "simulated")
	c.apply(fmt.Sprintf(endingJob, 0))
	for _, component := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		c.run(binary, "kill", "--dir", c.dir, component)
		c.run(binary, "restart", "--dir", c.dir, component)
	}
	c.kubectl("get", "job", "ends") // what was stored is still there
	c.apply(strings.ReplaceAll(fmt.Sprintf(endingJob, 0), "ends", "later"))
	c.kubectl("wait", "--for=condition=Complete", "job/later", "--timeout=60s")
}

func TestClusterDiesWithItsParent(t *testing.T) {
	binary := program(t)
	c := testCluster{t, binary, filepath.Join(t.TempDir(), "cluster")}
	parent := exec.Command("sh", "-c", `"$0" up --dir "$1" --node simulated --detach --die-with-parent && exec sleep 600`, binary, c.dir)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		if _, err := os.Stat(filepath.Join(c.dir, "ready")); err == nil || time.Now().After(deadline) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if len(c.mentioned()) == 0 {
		t.Fatal("no cluster to begin with")
	}
	kill9(t, parent.Process.Pid)
	_ = parent.Wait()
	c.awaitNothingLeft()
}

const realJob = `
apiVersion: batch/v1
kind: Job
metadata: {name: real}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: localhost/busybox:dev
        command: [sh, -c, "echo out; nc -w 2 10.96.0.1 443 </dev/null && echo said >/dev/termination-log; exit 5"]
`

func TestRealNode(t *testing.T) {
	binary := program(t)
	if os.Geteuid() != 0 {
		t.Skip("a real node needs root")
	}
	c := startCluster(t, binary, "--node", "real")
	c.apply(realJob)
	c.kubectl("wait", "--for=condition=Failed", "job/real", "--timeout=60s")
	got := c.kubectl("get", "pod", "-l", "job-name=real", "-o", "jsonpath={.items[*].status.containerStatuses[*].state.terminated['exitCode','message']}")
	if got != "5 said\n" {
		t.Errorf("Pod ended with %q", got)
	}
	if log := c.kubectl("logs", "job/real"); log != "out\n" {
		t.Errorf("log %q", log)
	}
	kill9(t, c.pid("supervisor"))
	c.awaitNothingLeft()
	c.run(binary, "down", "--dir", c.dir)
	if left, _ := filepath.Glob("/sys/fs/cgroup/*/punctual-" + c.id()); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func (c testCluster) id() string {
	c.t.Helper()
	layout, err := cluster.NewLayout(c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	return layout.ID()
}
