package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func made(t *testing.T) (string, Options) {
	t.Helper()
	o := Options{Dir: t.TempDir(), ServerIPs: []net.IP{net.IPv4(127, 0, 0, 1)}, ServerNames: []string{"kubernetes"}, NodeName: "node-1", ValidityDays: 30}
	if err := Make(o); err != nil {
		t.Fatal(err)
	}
	return o.Dir, o
}

func TestServerAndClientTrustEachOther(t *testing.T) {
	dir, _ := made(t)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "pki", "apiserver.crt"), filepath.Join(dir, "pki", "apiserver.key"))
	if err != nil {
		t.Fatal(err)
	}
	clientTLS, err := ClientTLS(dir, "admin")
	if err != nil {
		t.Fatal(err)
	}
	var subject string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		name := r.TLS.PeerCertificates[0].Subject
		subject = name.CommonName + "/" + strings.Join(name.Organization, ",")
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clientTLS.RootCAs}
	server.StartTLS()
	defer server.Close()
	response, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: clientTLS}}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if subject != "devcluster-admin/system:masters" {
		t.Errorf("the server saw %q", subject)
	}
}

func TestKeysArePKCS8AndPrivate(t *testing.T) {
	dir, _ := made(t)
	keys, _ := filepath.Glob(filepath.Join(dir, "pki", "*.key"))
	if len(keys) < 10 {
		t.Fatalf("only %d keys", len(keys))
	}
	for _, file := range keys {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", file, info.Mode())
		}
		data, _ := os.ReadFile(file)
		block, _ := pem.Decode(data)
		if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestMakeKeepsWhatIsThere(t *testing.T) {
	dir, o := made(t)
	before, _ := os.ReadFile(filepath.Join(dir, "pki", "ca.crt"))
	if err := Make(o); err != nil {
		t.Fatal(err)
	}
	after, _ := os.ReadFile(filepath.Join(dir, "pki", "ca.crt"))
	if string(before) != string(after) {
		t.Error("a second Make replaced the certificate authority")
	}
}

func TestKubeconfigNamesServerAndUser(t *testing.T) {
	dir, _ := made(t)
	for _, client := range Clients {
		path := filepath.Join(dir, client+".kubeconfig")
		if err := WriteKubeconfig(dir, client, "https://127.0.0.1:20000", path); err != nil {
			t.Fatal(err)
		}
		data, _ := os.ReadFile(path)
		text := string(data)
		if !strings.Contains(text, `server: "https://127.0.0.1:20000"`) || !strings.Contains(text, "user: "+client+"}") || strings.Contains(text, "%!") {
			t.Errorf("kubeconfig of %s:\n%s", client, text)
		}
	}
}
