package cluster

import (
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// The process that detaches gives the supervisor a pipe for its messages until it is ready.
const (
	reportVariable = "DEVCLUSTER_REPORT_FD"
	reportFd       = 3
	readyMark      = "\x06" // ASCII "acknowledge"
)

// reporter prints what happens, with the time since the start.
type reporter struct {
	start time.Time
	mu    sync.Mutex
	pipe  io.WriteCloser // to the detaching process, nil without one
}

func newReporter() *reporter {
	r := &reporter{start: time.Now()}
	if os.Getenv(reportVariable) != "" {
		// Neither is for the components: they would keep the pipe open.
		_ = os.Unsetenv(reportVariable)
		syscall.CloseOnExec(reportFd)
		r.pipe = os.NewFile(reportFd, "report")
	}
	return r
}

func (r *reporter) say(format string, args ...any) {
	line := fmt.Sprintf("%7.3fs  %s\n", time.Since(r.start).Seconds(), fmt.Sprintf(format, args...))
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Print(line)
	if r.pipe != nil {
		_, _ = io.WriteString(r.pipe, line)
	}
}

// done tells the detaching process that the cluster is ready.
func (r *reporter) done() { r.finish(readyMark) }

// failed tells it why there will be no cluster.
func (r *reporter) failed(err error) {
	if err != nil {
		r.finish(fmt.Sprintf("devcluster: %v\n", err))
	}
}

func (r *reporter) finish(last string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pipe != nil {
		_, _ = io.WriteString(r.pipe, last)
		_ = r.pipe.Close()
		r.pipe = nil
	}
}
