package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"devcluster/internal/supervise"
)

const (
	pollInterval = 25 * time.Millisecond
	askTimeout   = 5 * time.Second
)

// probe asks an HTTPS server until it answers as wanted.
type probe struct {
	what   string // a sentence that is true when it succeeds
	url    string
	holds  string // text that the body must hold
	client *http.Client
}

// apiClient goes the way of everybody on the host.
func apiClient(config *tls.Config) *http.Client {
	return &http.Client{Timeout: askTimeout, Transport: &http.Transport{TLSClientConfig: config}}
}

// healthClient asks the components where they run. It trusts any certificate: controller-manager
// and scheduler sign their own.
func (p *place) healthClient() *http.Client {
	config := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // own loopback
	return &http.Client{Timeout: askTimeout, Transport: &http.Transport{TLSClientConfig: config, DialContext: p.dial}}
}

// await returns when the probe succeeds, the context ends or a component crashes.
func await(ctx context.Context, crashed <-chan supervise.Crash, p probe) error {
	for {
		err := p.ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited until %s: %w; the last answer: %w", p.what, context.Cause(ctx), err)
		case crash := <-crashed:
			return crash
		case <-time.After(pollInterval):
		}
	}
}

func (p probe) ask(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(body))
	}
	if !strings.Contains(string(body), p.holds) {
		return fmt.Errorf("no %q in the answer", p.holds)
	}
	return nil
}

// post creates an object; one that is there already is fine.
func post(ctx context.Context, client *http.Client, url string, object []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(object))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusConflict {
		body, _ := io.ReadAll(response.Body)
		return fmt.Errorf("create at %s: %s: %s", url, response.Status, bytes.TrimSpace(body))
	}
	return nil
}
