package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Cleanup removes what a node leaves outside its namespaces. It may run any number of times.
func Cleanup(id, storage string) error {
	if err := removeCgroups(cgroupRoot, cgroupName(id)); err != nil {
		return err
	}
	problems := []error{machineLedger().leave(id)}
	// The node's mounts are in its own namespace: what is removed here is the directories alone.
	for _, dir := range []string{runDir(id), storage} {
		if err := os.RemoveAll(dir); err != nil {
			problems = append(problems, fmt.Errorf("remove the node's files: %w", err))
		}
	}
	_ = os.Remove(filepath.Dir(runDir(id))) // succeeds for the last cluster alone
	return errors.Join(problems...)
}
