// devcluster is one program that holds a whole Kubernetes cluster: the published control plane,
// kubectl and helm, and commands that bring clusters up and take them down.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"devcluster/internal/dispatch"
)

func main() {
	name, args, ok := dispatch.Choose(os.Args, known)
	if !ok {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	// The Kubernetes commands read os.Args themselves.
	os.Args = append([]string{name}, args...)
	os.Exit(exitCode(commands[name](args)))
}

// commands are the functions behind the names; kubernetes.go adds those of Kubernetes.
var commands = map[string]func(args []string) error{}

func known(name string) bool { return commands[name] != nil }

// status ends the program with a code and without a message of ours.
type status int

func (s status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func exitCode(err error) int {
	var code status
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &code):
		return int(code)
	default:
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		return 1
	}
}
