package cluster

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"devcluster/internal/ports"
)

func layout(t *testing.T) Layout {
	t.Helper()
	l, err := NewLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.make(); err != nil {
		t.Fatal(err)
	}
	return l
}

func options(t *testing.T, args ...string) Options {
	t.Helper()
	o, err := ParseOptions(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, args := range []string{"--node virtual", "--nodes 0", "extra", "--no-such-flag"} {
		if _, err := ParseOptions(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("accepted %q", args)
		}
	}
	if _, err := NewLayout(""); err == nil {
		t.Error("accepted an empty directory name")
	}
}

func TestProductionSettingsOfTheAPIServer(t *testing.T) {
	l := layout(t)
	lease, err := ports.Acquire(0)
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release()
	p, err := hostPlace(lease)
	if err != nil {
		t.Fatal(err)
	}
	args := apiServerArgs(l, p, options(t, "--audit", "--apiserver-arg=--v=4"))
	for _, want := range []string{
		"--authorization-mode=Node,RBAC", "--anonymous-auth=false", "--enable-admission-plugins=NodeRestriction",
		"--endpoint-reconciler-type=none", "--bind-address=127.0.0.1", "--audit-log-path=" + l.auditLog(),
	} {
		if !slices.Contains(args, want) {
			t.Errorf("no %s in %v", want, args)
		}
	}
	if args[len(args)-1] != "--v=4" {
		t.Error("the flag given by the user must come last, to win")
	}
	for _, arg := range apiServerArgs(l, p, options(t)) {
		if strings.Contains(arg, "audit") {
			t.Errorf("%s without --audit", arg)
		}
	}
}

func TestControllerManagerKeepsItsLimitsOnRequest(t *testing.T) {
	l, p := layout(t), &place{}
	raised := strings.Join(controllerManagerArgs(l, p, options(t, "--client-qps=700")), " ")
	if !strings.Contains(raised, "--kube-api-qps=700 --kube-api-burst=1400") || !strings.Contains(raised, "--concurrent-cron-job-syncs") {
		t.Errorf("limits not raised: %s", raised)
	}
	kept := strings.Join(controllerManagerArgs(l, p, options(t, "--kcm-default-limits")), " ")
	if strings.Contains(kept, "qps") || strings.Contains(kept, "--concurrent") {
		t.Errorf("limits raised although asked not to: %s", kept)
	}
}

func TestSignals(t *testing.T) {
	for text, want := range map[string]syscall.Signal{"KILL": 9, "sigterm": 15, "stop": 19, "18": 18} {
		if got, err := ParseSignal(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "65", "-9", "NOSUCH"} {
		if got, err := ParseSignal(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestOneClusterADirectory(t *testing.T) {
	l := layout(t)
	held, err := l.tryLock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.tryLock(); !errors.Is(err, errLocked) {
		t.Errorf("a second lock: %v", err)
	}
	held.release()
	again, err := l.waitLock(time.Second)
	if err != nil {
		t.Fatal(err)
	}
	again.release()
}

func TestOneNameForOneDirectory(t *testing.T) {
	l := layout(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(l.Dir, link); err != nil {
		t.Fatal(err)
	}
	other, err := NewLayout(link)
	if err != nil || other.ID() != l.ID() {
		t.Errorf("%s and %s: %v", l.Dir, other.Dir, err)
	}
}

func TestCleanupEndsOwnComponentsAndNoOthers(t *testing.T) {
	l := layout(t)
	start := func(name string, environment ...string) *exec.Cmd {
		cmd := exec.Command("sleep", "600")
		cmd.Env = append(os.Environ(), environment...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		pid := strconv.Itoa(cmd.Process.Pid)
		if err := os.WriteFile(filepath.Join(l.pids(), name+".pid"), []byte(pid), 0o600); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	own := start("etcd", ownerVariable+"="+l.Dir)
	stranger := start("kube-apiserver") // as a process that got the number of a dead component
	if err := l.writeRecord(record{Node: NodeSimulated, Running: true}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.readyFile(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Cleanup(l); err != nil {
		t.Fatal(err)
	}
	if err := own.Wait(); err == nil || own.ProcessState.String() != "signal: killed" {
		t.Errorf("own component: %v", own.ProcessState)
	}
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("a process of others was ended: %v", err)
	}
	if _, err := os.Stat(l.readyFile()); !os.IsNotExist(err) {
		t.Errorf("still called ready: %v", err)
	}
	if rec, err := l.readRecord(); err != nil || rec.Running {
		t.Errorf("record %+v, %v", rec, err)
	}
	if err := Cleanup(l); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

func TestParentIsWatchedAsAProcess(t *testing.T) {
	parent := exec.Command("sleep", "600")
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	gone, err := watchParent(Options{DieWithParent: true, ParentPid: parent.Process.Pid})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
		t.Fatal("gone while it lives")
	case <-time.After(20 * time.Millisecond):
	}
	_ = parent.Process.Kill()
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Error("its death was not seen")
	}
	_ = parent.Wait()
}

func TestRelayEndsWithTheReadyMark(t *testing.T) {
	var out strings.Builder
	if !relay(strings.NewReader("  0.1s  started\n"+readyMark), &out) || out.String() != "  0.1s  started\n" {
		t.Errorf("ready: %q", out.String())
	}
	if relay(strings.NewReader("devcluster: no\n"), io.Discard) {
		t.Error("ready without the mark")
	}
}

func TestOwnStartTimeIsReadable(t *testing.T) {
	ticks, err := startTicks(os.Getpid())
	if err != nil || strings.Trim(ticks, "0123456789") != "" {
		t.Errorf("%q, %v", ticks, err)
	}
	if !(record{Supervisor: os.Getpid(), SupervisorStart: ticks}).alive() || (record{Supervisor: os.Getpid(), SupervisorStart: "1"}).alive() {
		t.Error("a process is known by its number and start time")
	}
}
