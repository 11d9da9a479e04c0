package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// transit is an OpenBao server with the transit engine and one AES-256-GCM key, in memory alone.
type transit struct {
	server  *exec.Cmd
	url     string
	version string
	token   string // of a server that nobody else reaches, and that ends
}

// bao is the program; BAO names another one.
func bao() string {
	if p := os.Getenv("BAO"); p != "" {
		return p
	}
	return "bao"
}

// settings of a server in memory, on the loopback interface and without TLS. Batches of 1,000 have more strings than
// its listener takes by itself.
const settings = `storage "inmem" {}
listener "tcp" {
  address = "%s"
  tls_disable = true
  max_request_json_strings = 100000
}
`

// startTransit starts a server without an audit device. That, and each of its settings, makes it faster than a
// server in use.
func startTransit(ctx context.Context, dir string) (*transit, error) {
	version, err := exec.CommandContext(ctx, bao(), "version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s version: %w", bao(), err)
	}
	free, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "bao.hcl")
	if err := os.WriteFile(config, fmt.Appendf(nil, settings, address), 0o600); err != nil {
		return nil, err
	}
	t := &transit{url: "http://" + address + "/v1/", version: string(bytes.TrimSpace(version)),
		server: exec.CommandContext(ctx, bao(), "server", "-config", config)}
	if err := t.server.Start(); err != nil {
		return nil, err
	}
	if err := t.unseal(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", t.version, err), t.stop())
	}
	return t, nil
}

// unseal waits until the server answers, makes its keys, and the key that is measured.
func (t *transit) unseal(ctx context.Context) error {
	var made struct {
		Keys  []string `json:"keys"`
		Token string   `json:"root_token"`
	}
	err := error(nil)
	for range 300 {
		if err = t.post(ctx, "sys/init", map[string]any{"secret_shares": 1, "secret_threshold": 1}, &made); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	t.token = made.Token
	for _, call := range []struct {
		path string
		body map[string]any
	}{
		{"sys/unseal", map[string]any{"key": made.Keys[0]}},
		{"sys/mounts/transit", map[string]any{"type": "transit"}},
		{"transit/keys/kek", map[string]any{"type": "aes256-gcm96"}},
	} {
		if err := t.post(ctx, call.path, call.body, nil); err != nil {
			return err
		}
	}
	return nil
}

func (t *transit) stop() error {
	return errors.Join(t.server.Process.Kill(), ignoreExit(t.server.Wait()))
}

// ignoreExit takes away that a program was killed.
func ignoreExit(err error) error {
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return nil
	}
	return err
}

// item is one of a batch.
type item struct {
	Plaintext  []byte `json:"plaintext,omitempty"`
	Ciphertext string `json:"ciphertext,omitempty"`
	Error      string `json:"error,omitempty"`
}

// batch has the transit engine encrypt or rewrap all items in one call.
func (t *transit) batch(ctx context.Context, operation string, in []item) ([]item, error) {
	var out struct {
		Data struct {
			Results []item `json:"batch_results"`
		} `json:"data"`
	}
	if err := t.post(ctx, "transit/"+operation+"/kek", map[string]any{"batch_input": in}, &out); err != nil {
		return nil, err
	}
	if len(out.Data.Results) != len(in) {
		return nil, fmt.Errorf("%s: %d results of %d", operation, len(out.Data.Results), len(in))
	}
	for _, r := range out.Data.Results {
		if r.Error != "" || r.Ciphertext == "" {
			return nil, fmt.Errorf("%s: %q", operation, r.Error)
		}
	}
	return out.Data.Results, nil
}

// encrypted are data keys under the first version of the key; then it has a second one.
func (t *transit) encrypted(ctx context.Context, keys [][]byte) (all []item, err error) {
	for len(keys) > 0 {
		some := keys[:min(1000, len(keys))]
		keys = keys[len(some):]
		in := make([]item, len(some))
		for i, k := range some {
			in[i].Plaintext = k
		}
		out, err := t.batch(ctx, "encrypt", in)
		if err != nil {
			return nil, err
		}
		all = append(all, out...)
	}
	return all, t.post(ctx, "transit/keys/kek/rotate", nil, nil)
}

// rewraps has clients rewrap all items in batches, and returns re-wraps per second.
func (t *transit) rewraps(ctx context.Context, all []item, clients, size int) (float64, error) {
	work := make(chan []item)
	errs := make([]error, clients)
	began := time.Now()
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for in := range work {
				if errs[c] == nil {
					_, errs[c] = t.batch(ctx, "rewrap", in)
				}
			}
		})
	}
	for rest := all; len(rest) > 0; rest = rest[min(size, len(rest)):] {
		work <- rest[:min(size, len(rest))]
	}
	close(work)
	wg.Wait()
	return float64(len(all)) / time.Since(began).Seconds(), errors.Join(errs...)
}

func (t *transit) post(ctx context.Context, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("X-Vault-Token", t.token)
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s: %s: %.200q", path, res.Status, got)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(got, answer)
}

// client keeps a connection for each of the four at once.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
