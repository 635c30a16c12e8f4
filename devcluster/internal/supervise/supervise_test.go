package supervise

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"devcluster/internal/osthread"
)

func supervisor(t *testing.T) *Supervisor {
	t.Helper()
	thread, err := osthread.New(func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := New(Options{Thread: thread, LogDir: dir, PidDir: dir, WorkDir: dir, Env: []string{"MARK=1"}, Grace: 5 * time.Second, Say: t.Logf})
	t.Cleanup(s.StopAll)
	return s
}

func shell(name, script string) Spec {
	return Spec{Name: name, Path: "/bin/sh", Args: []string{"-c", script}}
}

func TestCrashIsReportedWithTheLog(t *testing.T) {
	s := supervisor(t)
	if err := s.Start(shell("etcd", "echo disk full; exit 3")); err != nil {
		t.Fatal(err)
	}
	crash := <-s.Crashed()
	if crash.Component != "etcd" || crash.State != "exit status 3" {
		t.Errorf("crash %+v", crash)
	}
	log, err := os.ReadFile(crash.Log)
	if err != nil || string(log) != "disk full\n" {
		t.Errorf("log %q, %v", log, err)
	}
}

func TestKillOnPurposeIsNoCrashAndRestartBringsItBack(t *testing.T) {
	s := supervisor(t)
	ready := 0
	spec := shell("etcd", "exec sleep 600")
	spec.Ready = func() error { ready++; return nil }
	if err := s.Start(spec); err != nil {
		t.Fatal(err)
	}
	before := s.Status()[0]
	if err := s.Kill("etcd", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if s.Status()[0].Running {
		t.Error("runs after a kill")
	}
	if _, err := os.Stat(filepath.Join(s.o.PidDir, "etcd.pid")); !os.IsNotExist(err) {
		t.Errorf("pid file of a dead component: %v", err)
	}
	if err := s.Restart("etcd"); err != nil {
		t.Fatal(err)
	}
	after := s.Status()[0]
	if !after.Running || after.Pid == before.Pid || ready != 1 {
		t.Errorf("before %+v, after %+v, asked for readiness %d times", before, after, ready)
	}
	select {
	case crash := <-s.Crashed():
		t.Errorf("counted as a crash: %v", crash)
	default:
	}
}

func TestFrozenComponentCanBeStopped(t *testing.T) {
	s := supervisor(t)
	if err := s.Start(shell("kube-apiserver", "exec sleep 600")); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill("kube-apiserver", syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	s.StopAll()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("stopping a frozen component took %s", took)
	}
}

func TestStopAllGoesBackwards(t *testing.T) {
	s := supervisor(t)
	order := filepath.Join(t.TempDir(), "order")
	for _, name := range []string{"first", "second", "third"} {
		up := filepath.Join(t.TempDir(), "up")
		script := "trap 'echo " + name + " >>" + order + "; exit' TERM; : >" + up + "; while :; do sleep 0.01; done"
		if err := s.Start(shell(name, script)); err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(up); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	s.StopAll()
	got, _ := os.ReadFile(order)
	if string(got) != "third\nsecond\nfirst\n" {
		t.Errorf("stopped in the order %q", got)
	}
}

func TestUnknownComponentNamesTheKnownOnes(t *testing.T) {
	s := supervisor(t)
	if err := s.Start(shell("etcd", "exec sleep 600")); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill("etdc", syscall.SIGKILL); err == nil || !strings.Contains(err.Error(), "it has etcd") {
		t.Errorf("error %v", err)
	}
}
