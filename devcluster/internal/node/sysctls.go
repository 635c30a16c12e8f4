package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// sysctls are the settings of the whole machine that a kubelet changes when it starts.
var sysctls = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

// ledger remembers the settings from before the first cluster and which clusters use the changed
// ones: the last to leave restores them.
type ledger struct {
	root    string // where it is kept
	sysctls string // /proc/sys, except in tests
}

type saved struct {
	Values map[string]string `json:"values"`
	Users  map[string]bool   `json:"users"`
}

func machineLedger() ledger { return ledger{runRoot, "/proc/sys"} }

func saveSysctls(id string) (names string, err error) {
	return strings.ReplaceAll(strings.Join(sysctls, ", "), "/", "."), machineLedger().join(id)
}

func (l ledger) join(id string) error {
	return l.locked(func(s *saved) error {
		if len(s.Users) == 0 {
			s.Values = map[string]string{}
			for _, name := range sysctls {
				value, err := os.ReadFile(filepath.Join(l.sysctls, name))
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					return fmt.Errorf("read the setting %s: %w", name, err)
				}
				s.Values[name] = strings.TrimSpace(string(value))
			}
		}
		s.Users[id] = true
		return nil
	})
}

func (l ledger) leave(id string) error {
	if _, err := os.Stat(l.file()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return l.locked(func(s *saved) error {
		if !s.Users[id] {
			return nil
		}
		if len(s.Users) == 1 {
			for name, value := range s.Values {
				if err := os.WriteFile(filepath.Join(l.sysctls, name), []byte(value), 0); err != nil {
					return fmt.Errorf("restore the setting %s to %s: %w", name, value, err)
				}
			}
		}
		delete(s.Users, id)
		return nil
	})
}

func (l ledger) file() string { return filepath.Join(l.root, "sysctls.json") }

// locked reads, changes and writes the ledger while no other cluster does.
func (l ledger) locked(change func(*saved) error) error {
	lock, err := l.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	s := saved{Users: map[string]bool{}}
	data, err := os.ReadFile(l.file())
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", l.file(), err)
	}
	if err := change(&s); err != nil {
		return err
	}
	if len(s.Users) == 0 {
		_ = os.Remove(l.file())
		_ = os.Remove(lock.Name())
		return nil
	}
	if data, err = json.Marshal(s); err != nil {
		return err
	}
	temporary := l.file() + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, l.file())
}

// lock takes the ledger for itself. The last user removes the file, so one that was removed while
// this waited for it is no lock any more.
func (l ledger) lock() (*os.File, error) {
	path := filepath.Join(l.root, "lock")
	for {
		// Another cluster that leaves may remove the directory too.
		if err := os.MkdirAll(l.root, 0o700); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		held, heldErr := file.Stat()
		there, thereErr := os.Stat(path)
		if heldErr == nil && thereErr == nil && os.SameFile(held, there) {
			return file, nil
		}
		_ = file.Close()
	}
}
