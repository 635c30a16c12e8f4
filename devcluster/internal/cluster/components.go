package cluster

import (
	"fmt"
	"strconv"
)

const (
	etcd              = "etcd"
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	simulatedNode     = "simulated-node"
)

func etcdArgs(l Layout, p *place, o Options) []string {
	peerURL := fmt.Sprintf("https://%s:%d", loopback, p.etcdPeerPort)
	args := []string{
		"--name=devcluster", "--data-dir=" + l.etcdData(),
		"--listen-client-urls=" + p.etcdURL(), "--advertise-client-urls=" + p.etcdURL(),
		"--listen-peer-urls=" + peerURL, "--initial-advertise-peer-urls=" + peerURL, "--initial-cluster=devcluster=" + peerURL,
		"--cert-file=" + l.pki("etcd.crt"), "--key-file=" + l.pki("etcd.key"), "--trusted-ca-file=" + l.pki("ca.crt"), "--client-cert-auth",
		"--peer-cert-file=" + l.pki("etcd.crt"), "--peer-key-file=" + l.pki("etcd.key"), "--peer-trusted-ca-file=" + l.pki("ca.crt"), "--peer-client-cert-auth",
		"--log-level=warn", "--quota-backend-bytes=4294967296",
	}
	if !o.Fsync {
		args = append(args, "--unsafe-no-fsync")
	}
	return append(args, o.EtcdArgs...)
}

func apiServerArgs(l Layout, p *place, o Options) []string {
	args := []string{
		"--etcd-servers=" + p.etcdURL(), "--etcd-cafile=" + l.pki("ca.crt"),
		"--etcd-certfile=" + l.pki("etcd-client.crt"), "--etcd-keyfile=" + l.pki("etcd-client.key"),
		"--bind-address=" + p.bind, "--secure-port=" + strconv.Itoa(p.apiPort), "--advertise-address=" + p.advertise,
		"--tls-cert-file=" + l.pki("apiserver.crt"), "--tls-private-key-file=" + l.pki("apiserver.key"),
		"--client-ca-file=" + l.pki("ca.crt"), "--anonymous-auth=false",
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + l.pki("sa.pub"), "--service-account-signing-key-file=" + l.pki("sa.key"),
		"--requestheader-client-ca-file=" + l.pki("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group", "--requestheader-username-headers=X-Remote-User",
		"--proxy-client-cert-file=" + l.pki("front-proxy-client.crt"), "--proxy-client-key-file=" + l.pki("front-proxy-client.key"),
		// For `kubectl logs`, `exec` and `port-forward`:
		"--kubelet-client-certificate=" + l.pki("apiserver-kubelet-client.crt"), "--kubelet-client-key=" + l.pki("apiserver-kubelet-client.key"),
		"--kubelet-certificate-authority=" + l.pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP,Hostname",
		"--service-cluster-ip-range=" + serviceAddresses, "--allow-privileged=true", "--profiling=false",
		"--enable-aggregator-routing=true",
	}
	if !p.endpoints {
		args = append(args, "--endpoint-reconciler-type=none")
	}
	if o.Audit {
		args = append(args, "--audit-policy-file="+l.config(auditPolicyFile), "--audit-log-path="+l.auditLog())
	}
	return append(args, o.APIServerArgs...)
}

func controllerManagerArgs(l Layout, p *place, o Options) []string {
	args := append(clientArgs(l, controllerManager, p.kcmPort),
		"--use-service-account-credentials=true", "--root-ca-file="+l.pki("ca.crt"), "--service-account-private-key-file="+l.pki("sa.key"),
		"--cluster-signing-cert-file="+l.pki("ca.crt"), "--cluster-signing-key-file="+l.pki("ca.key"),
		// Controllers for clouds: there is none.
		"--controllers=*,-nodeipam,-route,-cloud-node-lifecycle,-service-lb-controller")
	if !o.KCMDefaults {
		args = append(args, rateArgs(o)...)
		args = append(args, "--concurrent-cron-job-syncs=50")
	}
	return append(args, o.KCMArgs...)
}

func schedulerArgs(l Layout, p *place, o Options) []string {
	args := append(clientArgs(l, scheduler, p.schedulerPort), rateArgs(o)...)
	return append(args, o.SchedulerArgs...)
}

func clientArgs(l Layout, name string, port int) []string {
	file := l.kubeconfig(name)
	return []string{
		"--kubeconfig=" + file, "--authentication-kubeconfig=" + file, "--authorization-kubeconfig=" + file,
		"--bind-address=" + loopback, "--secure-port=" + strconv.Itoa(port), "--leader-elect=false",
	}
}

// rateArgs lift the client limits: at their defaults of 20 and 50 requests a second a test waits
// for the cluster and not for the operator it tests.
func rateArgs(o Options) []string {
	return []string{fmt.Sprintf("--kube-api-qps=%d", o.ClientQPS), fmt.Sprintf("--kube-api-burst=%d", 2*o.ClientQPS)}
}

const auditPolicyFile = "audit-policy.yaml"

// auditPolicy logs who did what and with which program, and no bodies: they hold secrets.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`
