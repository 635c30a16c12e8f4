package node

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(templateFiles, "templates/*"))

// settings are what the templates need to know.
type settings struct {
	Run, Disk, Socket, CNIPlugins, CgroupRoot string
	Name, Address, PodNetwork, FirstPodIP     string
	CA, KubeletCert, KubeletKey, ProxyConfig  string
	PauseImage, ResolvConf                    string
}

const (
	containerdConfig = "containerd.toml"
	kubeletConfig    = "kubelet.yaml"
	proxyConfig      = "kube-proxy.yaml"
	networkConfig    = "10-bridge.conflist"
	networkConfigDir = "cni"
)

func (n *Node) settings() settings {
	return settings{
		Run: n.run(), Disk: n.disk(), Socket: Socket(n.o.ID), CNIPlugins: CNIPlugins, CgroupRoot: "/" + cgroupName(n.o.ID),
		Name: Name, Address: Address, PodNetwork: podNetwork, FirstPodIP: firstPodIP,
		CA: n.o.PKI("ca.crt"), KubeletCert: n.o.PKI("kubelet.crt"), KubeletKey: n.o.PKI("kubelet.key"),
		ProxyConfig: n.o.Kubeconfig("kube-proxy"), PauseImage: PauseImage, ResolvConf: filepath.Join(n.run(), "resolv.conf"),
	}
}

func (n *Node) writeConfig() error {
	files := map[string]string{
		containerdConfig: containerdConfig, kubeletConfig: kubeletConfig, proxyConfig: proxyConfig,
		networkConfig: filepath.Join(networkConfigDir, networkConfig),
	}
	if err := os.MkdirAll(filepath.Join(n.run(), networkConfigDir), 0o700); err != nil {
		return err
	}
	for name, file := range files {
		text, err := render(name, n.settings())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(n.run(), file), text, 0o600); err != nil {
			return err
		}
	}
	// Empty: there is no DNS in the cluster, and none outside that it could reach.
	return os.WriteFile(n.settings().ResolvConf, nil, 0o644)
}

func render(name string, s settings) ([]byte, error) {
	var text bytes.Buffer
	if err := templates.ExecuteTemplate(&text, name, s); err != nil {
		return nil, fmt.Errorf("write the configuration %s: %w", name, err)
	}
	return text.Bytes(), nil
}
