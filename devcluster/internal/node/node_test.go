package node

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func example() *Node {
	return &Node{o: Options{
		ID: "0a1b2c3d", Storage: "/srv/x", Helper: "/cache/helper", ServiceNetwork: "10.96.0.0/16",
		PKI:        func(file string) string { return "/srv/a \"quoted\" dir/" + file },
		Kubeconfig: func(client string) string { return "/srv/" + client },
	}}
}

func TestConfigurationsAreWellFormedAndOfThisClusterAlone(t *testing.T) {
	s := example().settings()
	for _, name := range []string{kubeletConfig, proxyConfig, networkConfig} {
		text, err := render(name, s)
		if err != nil {
			t.Fatal(err)
		}
		var parsed map[string]any
		if err := yaml.UnmarshalStrict(text, &parsed); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
		if name == networkConfig && !json.Valid(text) {
			t.Errorf("%s is no JSON:\n%s", name, text)
		}
		if name == kubeletConfig && (parsed["cgroupRoot"] != "/punctual-0a1b2c3d" || parsed["tlsCertFile"] != "/srv/a \"quoted\" dir/kubelet.crt") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	text, err := render(containerdConfig, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`root = "/run/punctual-devcluster/0a1b2c3d/disk/containerd"`, `address = "/run/punctual-devcluster/0a1b2c3d/containerd.sock"`,
		`sandbox_image = "localhost/pause:dev"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestSocketPathsAreShort(t *testing.T) {
	const limit = 107
	longest := filepath.Join(example().disk(), "kubelet", "device-plugins", "kubelet.sock")
	if len(longest) > limit || len(Socket("0a1b2c3d")) > limit {
		t.Errorf("%d bytes: %s", len(longest), longest)
	}
}

func fakeMachine(t *testing.T) ledger {
	t.Helper()
	l := ledger{root: filepath.Join(t.TempDir(), "run"), sysctls: t.TempDir()}
	for _, name := range sysctls[:4] { // a kernel may lack some
		file := filepath.Join(l.sysctls, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func (l ledger) value(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(l.sysctls, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func TestLastClusterRestoresTheMachinesSettings(t *testing.T) {
	l := fakeMachine(t)
	const name = "vm/overcommit_memory"
	if err := l.join("first"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.sysctls, name), []byte("1"), 0o600); err != nil { // the kubelet
		t.Fatal(err)
	}
	for _, step := range []struct {
		do   func(string) error
		id   string
		want string
	}{{l.join, "second", "1"}, {l.leave, "first", "1"}, {l.leave, "first", "1"}, {l.leave, "second", "0"}, {l.leave, "second", "0"}} {
		if err := step.do(step.id); err != nil {
			t.Fatal(err)
		}
		if got := l.value(t, name); got != step.want {
			t.Errorf("%s: %s, wanted %s", step.id, got, step.want)
		}
	}
	left, err := os.ReadDir(l.root)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCgroupsOfBothVersions(t *testing.T) {
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one := t.TempDir()
	write(filepath.Join(one, "cpuset", cgroupProcs), "")
	write(filepath.Join(one, "cpuset", "cpuset.cpus"), "0-1\n")
	write(filepath.Join(one, "cpuset", "cpuset.mems"), "0\n")
	write(filepath.Join(one, "memory", cgroupProcs), "")
	if err := os.Symlink("memory", filepath.Join(one, "alias")); err != nil {
		t.Fatal(err)
	}
	trees, err := hierarchies(one)
	if err != nil || len(trees) != 2 {
		t.Errorf("version 1: %v, %v", trees, err)
	}
	if err := makeCgroups(one, "punctual-x"); err != nil {
		t.Fatal(err)
	}
	if cpus, err := os.ReadFile(filepath.Join(one, "cpuset", "punctual-x", "cpuset.cpus")); err != nil || string(cpus) != "0-1\n" {
		t.Errorf("cpuset %q, %v", cpus, err)
	}
	two := t.TempDir()
	write(filepath.Join(two, controllersFile), "cpu memory\n")
	write(filepath.Join(two, cgroupProcs), "")
	if trees, err := hierarchies(two); err != nil || len(trees) != 1 || trees[0] != two {
		t.Errorf("version 2: %v, %v", trees, err)
	}
	if _, err := hierarchies(t.TempDir()); err == nil {
		t.Error("no cgroups at all, and no error")
	}
}

func TestForwardPassesBothWaysAndTheEnd(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		request, _ := io.ReadAll(conn) // ends because the client's half-close is passed on
		_, _ = conn.Write([]byte("got " + string(request)))
	}()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	go accept(front, func() (net.Conn, error) { return net.Dial("tcp", server.Addr().String()) })
	client, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, _ = client.Write([]byte("hello"))
	_ = client.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(client)
	if err != nil || string(answer) != "got hello" {
		t.Errorf("%q, %v", answer, err)
	}
}
