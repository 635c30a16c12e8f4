// Package pki makes the certificates, keys and kubeconfigs of one cluster.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// AdminGroup is bound to cluster-admin by Kubernetes itself.
const AdminGroup = "system:masters"

// Options say for whom the certificates are.
type Options struct {
	Dir          string   // certificates go to Dir/pki
	ServerIPs    []net.IP // addresses in the serving certificates
	ServerNames  []string
	NodeName     string // of the kubelet's certificate
	ValidityDays int
}

// Clients are the identities that get a client certificate; each can have a kubeconfig.
var Clients = []string{"admin", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "simulated-node"}

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

type issuer struct {
	dir      string
	notAfter time.Time
}

// Make writes everything under Dir/pki; it does nothing where that was done before.
func Make(o Options) error {
	dir := filepath.Join(o.Dir, "pki")
	done := filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the certificate directory: %w", err)
	}
	in := issuer{dir: dir, notAfter: time.Now().Add(time.Duration(o.ValidityDays) * 24 * time.Hour)}
	if err := in.all(o); err != nil {
		return fmt.Errorf("make certificates in %s: %w", dir, err)
	}
	return os.WriteFile(done, nil, 0o600)
}

func (in issuer) all(o Options) error {
	ca, err := in.authority("ca", "devcluster-ca")
	if err != nil {
		return err
	}
	front, err := in.authority("front-proxy-ca", "devcluster-front-proxy-ca")
	if err != nil {
		return err
	}
	if err := in.issue(front, "front-proxy-client", client("front-proxy-client")); err != nil {
		return err
	}
	certificates := map[string]*x509.Certificate{
		"apiserver":                serving(o, "kube-apiserver"),
		"etcd":                     serving(o, "etcd"),
		"etcd-client":              client("kube-apiserver-etcd-client"),
		"apiserver-kubelet-client": client("kube-apiserver-kubelet-client", AdminGroup),
		"kubelet":                  serving(o, "system:node:"+o.NodeName, "system:nodes"),
		"admin":                    client("devcluster-admin", AdminGroup),
		"kube-controller-manager":  client("system:kube-controller-manager"),
		"kube-scheduler":           client("system:kube-scheduler"),
		"kube-proxy":               client("system:kube-proxy"),
		"simulated-node":           client("devcluster-simulated-node", AdminGroup),
	}
	for name, template := range certificates {
		if err := in.issue(ca, name, template); err != nil {
			return err
		}
	}
	return in.serviceAccountKeys()
}

func serving(o Options, name string, groups ...string) *x509.Certificate {
	// Client use too: etcd peers and the kubelet present the certificate they serve with.
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: name, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: o.ServerIPs, DNSNames: append([]string{o.NodeName}, o.ServerNames...),
	}
}

func client(name string, groups ...string) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: name, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func (in issuer) authority(file, name string) (*authority, error) {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	key, err := in.newKey(file)
	if err != nil {
		return nil, err
	}
	der, err := in.sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certificate, key}, in.write(file+".crt", "CERTIFICATE", der, 0o644)
}

func (in issuer) issue(by *authority, file string, template *x509.Certificate) error {
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	key, err := in.newKey(file)
	if err != nil {
		return err
	}
	der, err := in.sign(template, by.certificate, key, by.key)
	if err != nil {
		return err
	}
	return in.write(file+".crt", "CERTIFICATE", der, 0o644)
}

func (in issuer) sign(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	// An hour back: the clock of a container or a virtual machine may lag.
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = in.notAfter
	template.BasicConstraintsValid = true
	return x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
}

func (in issuer) serviceAccountKeys() error {
	key, err := in.newKey("sa")
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	return in.write("sa.pub", "PUBLIC KEY", der, 0o644)
}

// newKey writes the key as PKCS#8, the one form every TLS library reads.
func (in issuer) newKey(file string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, in.write(file+".key", "PRIVATE KEY", der, 0o600)
}

func (in issuer) write(file, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(filepath.Join(in.dir, file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
