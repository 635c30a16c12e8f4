package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
)

const kubeconfigTemplate = `apiVersion: v1
kind: Config
clusters:
- name: devcluster
  cluster: {server: %q, certificate-authority-data: %s}
users:
- name: %s
  user: {client-certificate-data: %s, client-key-data: %s}
contexts:
- name: devcluster
  context: {cluster: devcluster, user: %[3]s}
current-context: devcluster
`

// WriteKubeconfig writes to path the kubeconfig of one of Clients for the API server at url.
// The certificates are inside: the file can be copied anywhere.
func WriteKubeconfig(dir, client, url, path string) error {
	var encoded [3]string
	for i, file := range []string{"ca.crt", client + ".crt", client + ".key"} {
		data, err := os.ReadFile(filepath.Join(dir, "pki", file))
		if err != nil {
			return fmt.Errorf("kubeconfig for %s: %w", client, err)
		}
		encoded[i] = base64.StdEncoding.EncodeToString(data)
	}
	text := fmt.Sprintf(kubeconfigTemplate, url, encoded[0], client, encoded[1], encoded[2])
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("kubeconfig for %s: %w", client, err)
	}
	return nil
}

// ClientTLS is the TLS configuration of one of Clients.
func ClientTLS(dir, client string) (*tls.Config, error) {
	file := func(name string) string { return filepath.Join(dir, "pki", name) }
	pair, err := tls.LoadX509KeyPair(file(client+".crt"), file(client+".key"))
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", client, err)
	}
	authority, err := os.ReadFile(file("ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("no certificate in %s", file("ca.crt"))
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}
