package control

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestCallsReachTheSupervisorOfADirectoryWithALongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	killed, stopped := "", false
	listener, err := Listen(dir, Server{
		Status:  func() Status { return Status{Dir: dir, Node: "simulated", Ready: true} },
		Kill:    func(c string, s syscall.Signal) error { killed = c + " " + s.String(); return nil },
		Restart: func(c string) error { return errors.New("no component " + c) },
		Stop:    func() { stopped = true },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	status, err := GetStatus(t.Context(), dir)
	if err != nil || status.Dir != dir || !status.Ready {
		t.Errorf("status %+v, %v", status, err)
	}
	if err := Kill(t.Context(), dir, "etcd", syscall.SIGKILL); err != nil || killed != "etcd killed" {
		t.Errorf("kill: %q, %v", killed, err)
	}
	if err := Restart(t.Context(), dir, "etdc"); err == nil || err.Error() != "no component etdc" {
		t.Errorf("restart: %v", err)
	}
	if err := Stop(t.Context(), dir); err != nil || !stopped {
		t.Errorf("stop: %v", err)
	}
}

func TestNobodyListening(t *testing.T) {
	dir := t.TempDir()
	if _, err := GetStatus(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a socket: %v", err)
	}
	listener, err := Listen(dir, Server{})
	if err != nil {
		t.Fatal(err)
	}
	// A supervisor that was killed leaves its socket behind.
	path := filepath.Join(dir, socketName)
	if err := os.Rename(path, path+".kept"); err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	if err := os.Rename(path+".kept", path); err != nil {
		t.Fatal(err)
	}
	if _, err := GetStatus(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("with a dead socket: %v", err)
	}
}
