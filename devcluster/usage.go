package main

const usage = `devcluster: a whole Kubernetes cluster in one program, for tests and demos.

  devcluster up      --dir DIR [--node real|simulated|auto] [--detach] [--die-with-parent] [--audit] ...
  devcluster down    --dir DIR [--remove]            stop it and leave nothing behind
  devcluster status  --dir DIR [--json]              what runs; exit code 3 if nothing does
  devcluster kill    --dir DIR COMPONENT [SIGNAL]    stop a part on purpose (default: KILL)
  devcluster restart --dir DIR COMPONENT             start it again, or anew
  devcluster image   --name NAME --out FILE.tar ...  make a container image
  devcluster load    --dir DIR FILE.tar              load it into a real node
  devcluster enter   --dir DIR [COMMAND]             a shell or command inside a real node
  devcluster path                                    where this program is

  devcluster kubectl ...     devcluster helm ...     also as links in DIR/bin
  devcluster etcd | kube-apiserver | kube-controller-manager | kube-scheduler | kubelet | kube-proxy ...

Every command explains its flags with --help. DIR can be given as $DEVCLUSTER_DIR.
`
