package image

import (
	"fmt"
	"os/exec"
	"strings"
)

const busyboxPath = "/bin/busybox"

// Busybox answers the entries for the machine's static busybox with a link for each of its programs.
func Busybox() ([]Entry, error) {
	program, err := exec.LookPath("busybox")
	if err != nil {
		return nil, fmt.Errorf("no busybox on this machine: on Debian install busybox-static: %w", err)
	}
	if interpreter, err := interpreterOf(program); err != nil || interpreter != "" {
		return nil, fmt.Errorf("%s is not statically linked (%v): on Debian install busybox-static", program, err)
	}
	list, err := exec.Command(program, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("ask %s for its programs: %w", program, err)
	}
	binary, err := File(program, busyboxPath)
	if err != nil {
		return nil, err
	}
	entries := []Entry{binary}
	for _, applet := range strings.Fields(string(list)) {
		if applet != "busybox" {
			entries = append(entries, Entry{Path: "/bin/" + applet, Target: busyboxPath})
		}
	}
	return entries, nil
}
