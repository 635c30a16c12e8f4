package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// record is what is known of a cluster beyond the life of its supervisor.
type record struct {
	Node            string   `json:"node"`
	Supervisor      int      `json:"supervisor"`
	SupervisorStart string   `json:"supervisorStart"` // in clock ticks since boot: a pid alone may be reused
	PortBase        int      `json:"portBase,omitempty"`
	Cgroups         []string `json:"cgroups,omitempty"`
	Running         bool     `json:"running"` // false once everything was cleaned up
}

func (l Layout) readRecord() (record, error) {
	var r record
	data, err := os.ReadFile(l.recordFile())
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return r, fmt.Errorf("read %s: %w; if no cluster runs there, remove the directory", l.recordFile(), err)
	}
	return r, nil
}

// writeRecord replaces the file in one step: the janitor may read it at any moment.
func (l Layout) writeRecord(r record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	temporary := l.recordFile() + ".new"
	if err := os.WriteFile(temporary, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", temporary, err)
	}
	return os.Rename(temporary, l.recordFile())
}
