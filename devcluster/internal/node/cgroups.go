package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	cgroupRoot      = "/sys/fs/cgroup"
	cgroupProcs     = "cgroup.procs"
	controllersFile = "cgroup.controllers" // only in a cgroup of version 2
	cgroupPatience  = 10 * time.Second
)

// cgroupName is the cgroup that holds all Pods of a cluster.
func cgroupName(id string) string { return "punctual-" + id }

// hierarchies are the roots of all cgroup trees: one in version 2, one for each controller in
// version 1. The unified tree of a machine with both is left out of use, as the kubelet does.
func hierarchies(root string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(root, controllersFile)); err == nil {
		return []string{root}, nil
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, entry := range entries {
		// Some are links to each other, as cpu and cpuacct: each tree once.
		if _, err := os.Stat(filepath.Join(root, entry.Name(), cgroupProcs)); entry.IsDir() && err == nil {
			found = append(found, filepath.Join(root, entry.Name()))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no cgroups under %s: mount them", root)
	}
	return found, nil
}

// makeCgroups makes the cluster's cgroup in every tree: the kubelet wants it to be there.
func makeCgroups(root, name string) error {
	trees, err := hierarchies(root)
	if err != nil {
		return err
	}
	for _, tree := range trees {
		dir := filepath.Join(tree, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the node's cgroup: %w", err)
		}
		// Version 1: no process may enter a cpuset whose sets are empty, as a new one's are.
		for _, set := range []string{"cpuset.mems", "cpuset.cpus"} {
			value, err := os.ReadFile(filepath.Join(tree, set))
			if err != nil {
				continue // not a tree with cpusets
			}
			if err := os.WriteFile(filepath.Join(dir, set), value, 0); err != nil {
				return fmt.Errorf("fill %s/%s: %w", dir, set, err)
			}
		}
		if controllers, err := os.ReadFile(filepath.Join(tree, controllersFile)); err == nil && tree == root {
			if err := delegate(tree, string(controllers)); err != nil {
				return err
			}
		}
	}
	return nil
}

// delegate makes the controllers of version 2 available below the root.
func delegate(tree, controllers string) error {
	for _, controller := range strings.Fields(controllers) {
		file := filepath.Join(tree, "cgroup.subtree_control")
		if err := os.WriteFile(file, []byte("+"+controller), 0); err != nil {
			return fmt.Errorf("enable the cgroup controller %s: %w", controller, err)
		}
	}
	return nil
}

// removeCgroups kills what still runs in the cluster's cgroups and removes them.
func removeCgroups(root, name string) error {
	entries, err := filepath.Glob(filepath.Join(root, "*", name))
	if err != nil {
		return err
	}
	deadline := time.Now().Add(cgroupPatience)
	for _, dir := range append(entries, filepath.Join(root, name)) {
		for {
			err := removeTree(dir)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("remove the cgroup %s: %w", dir, err)
			}
			time.Sleep(10 * time.Millisecond) // a killed process leaves its cgroup a little later
		}
	}
	return nil
}

// removeTree removes a cgroup and those below it, the deepest first.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	killMembers(dir)
	return os.Remove(dir)
}

func killMembers(dir string) {
	data, err := os.ReadFile(filepath.Join(dir, cgroupProcs))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(data)) {
		// 0 is a process that this process namespace cannot see: kill(0) would hit ourselves.
		if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
