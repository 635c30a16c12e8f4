// Package control is the line between the commands and the supervisor of a running cluster: HTTP
// over a Unix socket in the cluster's directory, which only its owner can enter.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"devcluster/internal/supervise"
)

const socketName = "control.sock"

// ErrNotRunning is the answer where no supervisor listens.
var ErrNotRunning = errors.New("no cluster runs in this directory")

// Status is what the supervisor tells about its cluster.
type Status struct {
	Dir        string             `json:"dir"`
	Node       string             `json:"node"`
	Why        string             `json:"why"`
	APIServer  string             `json:"apiServer"`
	Ready      bool               `json:"ready"`
	Supervisor int                `json:"supervisor"`
	Components []supervise.Status `json:"components"`
}

// Server is what the supervisor does on request.
type Server struct {
	Status  func() Status
	Kill    func(component string, signal syscall.Signal) error
	Restart func(component string) error
	Stop    func()
}

// Listen serves until the listener it answers is closed.
func Listen(dir string, s Server) (io.Closer, error) {
	_ = os.Remove(filepath.Join(dir, socketName))
	var listener net.Listener
	err := atShortPath(dir, func(path string) (err error) {
		listener, err = net.Listen("unix", path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s/%s: %w", dir, socketName, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(s.Status())
	})
	mux.HandleFunc("POST /stop", func(http.ResponseWriter, *http.Request) { s.Stop() })
	mux.HandleFunc("POST /restart", func(w http.ResponseWriter, r *http.Request) {
		answer(w, s.Restart(r.FormValue("component")))
	})
	mux.HandleFunc("POST /kill", func(w http.ResponseWriter, r *http.Request) {
		number, err := strconv.Atoi(r.FormValue("signal"))
		if err == nil {
			err = s.Kill(r.FormValue("component"), syscall.Signal(number))
		}
		answer(w, err)
	})
	go func() { _ = http.Serve(listener, mux) }()
	return listener, nil
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
	}
}

// GetStatus asks the supervisor of the cluster in dir.
func GetStatus(ctx context.Context, dir string) (Status, error) {
	var status Status
	body, err := call(ctx, dir, http.MethodGet, "/status", nil)
	if err == nil {
		err = json.Unmarshal(body, &status)
	}
	return status, err
}

// Stop asks for an orderly stop and does not wait for it.
func Stop(ctx context.Context, dir string) error {
	_, err := call(ctx, dir, http.MethodPost, "/stop", nil)
	return err
}

// Kill sends a signal to a component.
func Kill(ctx context.Context, dir, component string, signal syscall.Signal) error {
	_, err := call(ctx, dir, http.MethodPost, "/kill", url.Values{"component": {component}, "signal": {strconv.Itoa(int(signal))}})
	return err
}

// Restart restarts a component and waits until it is ready.
func Restart(ctx context.Context, dir, component string) error {
	_, err := call(ctx, dir, http.MethodPost, "/restart", url.Values{"component": {component}})
	return err
}

func call(ctx context.Context, dir, method, path string, form url.Values) ([]byte, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
			err = atShortPath(dir, func(path string) error {
				conn, err = (&net.Dialer{}).DialContext(ctx, "unix", path)
				return err
			})
			return conn, err
		},
	}}
	request, err := http.NewRequestWithContext(ctx, method, "http://supervisor"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := client.Do(request)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w: %s", ErrNotRunning, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("talk to the supervisor of the cluster in %s: %w", dir, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("talk to the supervisor of the cluster in %s: %w", dir, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(strings.TrimSpace(string(body)))
	}
	return body, nil
}

// atShortPath gives f a short name of the socket: the path of a Unix socket may have 107 bytes,
// and the directory of a cluster can be anywhere.
func atShortPath(dir string, f func(path string) error) error {
	handle, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer handle.Close()
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", handle.Fd(), socketName))
}
