package cluster

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

// Kinds of node.
const (
	NodeAuto      = "auto"
	NodeReal      = "real"
	NodeSimulated = "simulated"
)

// Options of `up`.
type Options struct {
	Dir           string
	Node          string
	Nodes         int
	Detach        bool
	DieWithParent bool
	Audit         bool
	Fsync         bool
	StartTimeout  time.Duration
	ClientQPS     int
	KCMDefaults   bool
	ParentPid     int // set by the detaching process for the one it starts
	Images        []string
	Arguments     []string // all of them, as given

	EtcdArgs, APIServerArgs, KCMArgs, SchedulerArgs, KubeletArgs []string
}

type repeated struct{ values *[]string }

func (r repeated) String() string     { return "" }
func (r repeated) Set(v string) error { *r.values = append(*r.values, v); return nil }

// ParseOptions reads the arguments of `up`.
func ParseOptions(args []string, output io.Writer) (Options, error) {
	o := Options{Arguments: args}
	fs := flag.NewFlagSet("devcluster up", flag.ContinueOnError)
	fs.SetOutput(output)
	fs.StringVar(&o.Dir, "dir", os.Getenv(DirVariable), "directory of the cluster; made if missing ($"+DirVariable+")")
	fs.StringVar(&o.Node, "node", NodeAuto, "real, simulated, or auto: real where this machine can")
	fs.IntVar(&o.Nodes, "nodes", 1, "number of simulated nodes")
	fs.BoolVar(&o.Detach, "detach", false, "return when the cluster is ready; it goes on until `devcluster down`")
	fs.BoolVar(&o.DieWithParent, "die-with-parent", false, "stop the cluster when the process that runs this command ends, however it ends")
	fs.BoolVar(&o.Audit, "audit", false, "write every request to DIR/audit.log")
	fs.BoolVar(&o.Fsync, "fsync", false, "let etcd wait for the disk; only a crash of the machine makes a difference")
	fs.DurationVar(&o.StartTimeout, "start-timeout", 3*time.Minute, "give up if the cluster is not ready by then")
	fs.IntVar(&o.ClientQPS, "client-qps", 1000, "requests a second that controller-manager and scheduler may send (burst: twice that)")
	fs.BoolVar(&o.KCMDefaults, "kcm-default-limits", false, "leave the controller-manager at its own limits, as in production; for benchmarks")
	fs.IntVar(&o.ParentPid, "parent-pid", 0, "with --die-with-parent: the process to watch instead of the parent")
	fs.Var(repeated{&o.Images}, "image", "image archive to load into the real node; repeatable")
	for name, target := range map[string]*[]string{
		"etcd-arg": &o.EtcdArgs, "apiserver-arg": &o.APIServerArgs, "kcm-arg": &o.KCMArgs,
		"scheduler-arg": &o.SchedulerArgs, "kubelet-arg": &o.KubeletArgs,
	} {
		fs.Var(repeated{target}, name, "one more flag for this component, as in --"+name+"=--v=2; repeatable")
	}
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("up takes no argument %q; see `devcluster up --help`", fs.Arg(0))
	}
	if o.Node != NodeAuto && o.Node != NodeReal && o.Node != NodeSimulated {
		return o, fmt.Errorf("--node %s: it is real, simulated or auto", o.Node)
	}
	if o.Nodes < 1 || o.Nodes > 100 {
		return o, fmt.Errorf("--nodes %d: it is a number from 1 to 100", o.Nodes)
	}
	return o, nil
}
