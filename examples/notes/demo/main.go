// Command demo starts three processes of notes on an installed store, reads and writes through
// them without a pause while it rotates the KEK twice, and says how many requests failed. It
// makes everything in a temporary directory, with temporary operators, who sign by themselves:
// a rehearsal. Run it with make example.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// demo is one run.
type demo struct {
	bin, dir string // of the programs, and of everything else
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: demo DIRECTORY_OF_THE_PROGRAMS")
	}
	dir, err := os.MkdirTemp("", "notes-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := (demo{os.Args[1], dir}).run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func (d demo) run(ctx context.Context) error {
	if err := d.prepare(); err != nil {
		return err
	}
	if err := d.ceremony("install"); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var services []string
	var running sync.WaitGroup
	for range 3 {
		url, err := d.start(ctx, &running)
		if err != nil {
			return err
		}
		services = append(services, url)
	}
	fmt.Println("three services:", services)
	load := newLoad(services)
	defer load.stop()
	for _, to := range []string{"2", "3"} {
		began := time.Now()
		if err := d.ceremony("rotate", "--to-version", to); err != nil {
			return err
		}
		fmt.Printf("rotated to version %s in %s; so far %d reads, %d writes, %d failed\n", to,
			time.Since(began).Round(time.Second), load.reads.Load(), load.writes.Load(), load.failed.Load())
	}
	load.stop()
	stop() // kills them: a rehearsal's services have nothing to lose
	running.Wait()
	fmt.Printf("%d reads, %d writes, %d failed requests\n", load.reads.Load(), load.writes.Load(), load.failed.Load())
	if load.failed.Load() > 0 {
		return errors.New("requests failed")
	}
	return nil
}

// prepare makes the operators, the roster, the store and the configuration.
func (d demo) prepare() error {
	const spaces = `namespaces="attend-rehearsal-v1@kekceremony,approve-rehearsal-v1@kekceremony,` +
		`final-rehearsal-v1@kekceremony"`
	roster := "# quorum: 2\n"
	for _, name := range []string{"alice", "bob", "carol"} {
		key := d.path(name)
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ssh-keygen: %w: %s", err, out)
		}
		public, err := os.ReadFile(key + ".pub")
		if err != nil {
			return err
		}
		roster += fmt.Sprintf("%s %s %s", name, spaces, public)
	}
	answers := ""
	for _, question := range []string{"place", "authorised", "people", "clock", "bags", "evidence", "bags_out",
		"clock_out", "planned_end"} {
		answers += question + ": \"n/a: an example\"\n"
	}
	answers += "copies: none, this is an example\ndiffered: none\n"
	config := fmt.Sprintf(`store: sqlite:%[1]s/notes.db
transcripts: %[1]s/transcripts
encryption:
  provider: env
  env: {secrets_file: %[1]s/secrets.env}
fleet: {beat: 500ms, live: 3s, expect: {notes: 3}}
catalogue: [notes.body]
keys: [%[1]s/alice, %[1]s/bob, %[1]s/carol]
rehearsal: {}
`, d.dir)
	for name, text := range map[string]string{"roster": roster, "config.yaml": config, "notes.db": "",
		"install.yaml": "ceremony: install\nprovider: env\nroster: " + d.path("roster") + "\n" + answers,
		"rotate.yaml":  "ceremony: rotate\n" + answers} {
		if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return os.Mkdir(d.path("transcripts"), 0o700)
}

func (d demo) path(name string) string { return filepath.Join(d.dir, name) }

// ceremony holds one, unattended.
func (d demo) ceremony(args ...string) error {
	args = append(args, "--ui", "none", "--config", d.path("config.yaml"), "--answers", d.path(args[0]+".yaml"))
	out, err := exec.Command(filepath.Join(d.bin, "kekceremony"), args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("kekceremony %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// start starts a process of notes and returns its address.
func (d demo) start(ctx context.Context, running *sync.WaitGroup) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, "notes"), "-config", d.path("config.yaml"), "-db",
		d.path("notes.db"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return "", errors.Join(errors.New("notes ended"), cmd.Wait())
	}
	running.Go(func() { _ = cmd.Wait() }) // it is told to end
	return lines.Text(), nil
}

// load reads and writes through services until it is stopped.
type load struct {
	reads, writes, failed atomic.Int64
	stop                  func()
}

func newLoad(services []string) *load {
	l := &load{}
	ctx, cancel := context.WithCancel(context.Background())
	var busy sync.WaitGroup
	l.stop = func() {
		cancel()
		busy.Wait()
	}
	for worker := range 4 {
		busy.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				l.once(services, fmt.Sprintf("%d-%d", worker, i%50), fmt.Sprintf("the secret %d of worker %d", i, worker))
			}
		})
	}
	return l
}

// once writes a note through one service and reads it through another.
func (l *load) once(services []string, id, text string) {
	note := func() string { return services[rand.IntN(len(services))] + "/notes/" + id }
	l.writes.Add(1)
	put, err := http.NewRequest(http.MethodPut, note(), bytes.NewReader([]byte(text)))
	if err == nil {
		_, err = answer(http.DefaultClient.Do(put))
	}
	if err == nil {
		l.reads.Add(1)
		var got []byte
		if got, err = answer(http.Get(note())); err == nil && string(got) != text {
			err = fmt.Errorf("note %s is %q, want %q", id, got, text)
		}
	}
	if err != nil {
		l.failed.Add(1)
		log.Print(err)
	}
}

func answer(r *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", r.Status, body)
	}
	return body, err
}
