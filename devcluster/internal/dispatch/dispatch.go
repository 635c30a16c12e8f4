// Package dispatch finds out which command of a multicall program is meant.
package dispatch

import "path/filepath"

// Choose goes by the name the program was called under, as through a link named kubectl, and
// else by the first argument.
func Choose(argv []string, known func(string) bool) (name string, args []string, ok bool) {
	if len(argv) == 0 {
		return "", nil, false
	}
	if name := filepath.Base(argv[0]); known(name) {
		return name, argv[1:], true
	}
	if len(argv) < 2 {
		return "", nil, false
	}
	switch argv[1] {
	case "-h", "--help":
		return "help", argv[2:], known("help")
	}
	return argv[1], argv[2:], known(argv[1])
}
