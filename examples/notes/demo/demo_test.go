package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestDemo: three services, two rotations, no failed request.
func TestDemo(t *testing.T) {
	t.Parallel()
	if err := built(t).run(t.Context()); err != nil {
		t.Error(err)
	}
}

func built(t *testing.T) demo {
	t.Helper()
	d := demo{t.TempDir(), t.TempDir()}
	for name, path := range map[string]string{"kekceremony": "../../../cmd/kekceremony", "notes": ".."} {
		out, err := exec.Command("go", "build", "-o", filepath.Join(d.bin, name), path).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return d
}

// TestKilled: services and consoles are killed with -9 at random instants, while others read and
// write. Whatever a service answers is right: a request fails only with the service that it was
// sent to.
func TestKilled(t *testing.T) {
	t.Parallel()
	d := built(t)
	if err := d.prepare(); err != nil {
		t.Fatal(err)
	}
	// Who was killed fell silent; people say so in advance.
	answers, err := os.ReadFile(d.path("rotate.yaml"))
	if err == nil {
		answers = append(answers, "deviation.fell_silent: the test killed it\n"...)
		err = os.WriteFile(d.path("rotate.yaml"), answers, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.killed(t, "install")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	all := &pool{d: d, t: t}
	for range 3 {
		all.start(ctx)
	}
	l := all.load(ctx)
	kills := 0
	for _, to := range []string{"2", "3", "1"} {
		over, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-over:
					return
				case <-time.After(time.Duration(2000+rand.IntN(4000)) * time.Millisecond): // it passes gates in between
					all.kill()
					all.start(ctx)
					kills++
				}
			}
		}()
		d.killed(t, "rotate", "--to-version", to)
		close(over)
		<-ended
	}
	l.stop()
	stop()
	all.running.Wait()
	t.Logf("%d reads, %d writes, %d services killed", l.reads.Load(), l.writes.Load(), kills)
	if l.failed.Load() > 0 || l.reads.Load() == 0 {
		t.Errorf("%d failed requests", l.failed.Load())
	}
	out, err := exec.Command(filepath.Join(d.bin, "kekceremony"), "transcript", "verify", "--chain",
		d.path("transcripts"), "--store", "sqlite:"+d.path("notes.db")).CombinedOutput()
	if code := new(exec.ExitError); err != nil && !(errors.As(err, &code) && code.ExitCode() == 6) {
		t.Errorf("%v\n%s", err, out)
	}
}

// killed holds a ceremony whose console is killed up to three times.
func (d demo) killed(t *testing.T, args ...string) {
	t.Helper()
	whole := append(slices.Clone(args), "--ui", "none", "--config", d.path("config.yaml"), "--answers",
		d.path(args[0]+".yaml"))
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(3000))*time.Millisecond)
		err := exec.CommandContext(ctx, filepath.Join(d.bin, "kekceremony"), whole...).Run() // the end of ctx kills it
		cancel()
		if err == nil {
			return
		}
	}
	var out []byte
	var err error
	for range 20 { // a service may fall silent in between
		if out, err = exec.Command(filepath.Join(d.bin, "kekceremony"), whole...).CombinedOutput(); err == nil {
			return
		}
		if args[0] == "install" && strings.Contains(string(out), "already installed") {
			return
		}
	}
	t.Fatalf("%v never ends: %v\n%s", args, err, out)
}

// pool is the services that run now.
type pool struct {
	d       demo
	t       *testing.T
	running sync.WaitGroup
	mu      sync.Mutex
	all     []service
}

type service struct {
	url  string
	kill context.CancelFunc
}

func (p *pool) start(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	ctx, kill := context.WithCancel(ctx)
	url, err := p.d.start(ctx, &p.running)
	if err != nil {
		p.t.Error(err)
		kill()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, service{url, kill})
}

// kill kills a service, which leaves the pool only then.
func (p *pool) kill() {
	p.mu.Lock()
	s := p.all[0]
	p.all = p.all[1:]
	p.mu.Unlock()
	s.kill()
}

func (p *pool) any() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[rand.IntN(len(p.all))].url
}

// load reads and writes; it does not count what a killed service did not answer.
func (p *pool) load(ctx context.Context) *load {
	l := &load{}
	ctx, cancel := context.WithCancel(ctx)
	var busy sync.WaitGroup
	l.stop = func() {
		cancel()
		busy.Wait()
	}
	for worker := range 3 {
		busy.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				p.once(l, worker, i)
			}
		})
	}
	return l
}

func (p *pool) once(l *load, worker, i int) {
	id, text := string(rune('a'+worker))+string(rune('a'+i%20)), "the secret "+strings.Repeat("x", i%50)
	put, err := http.NewRequest(http.MethodPut, p.any()+"/notes/"+id, strings.NewReader(text))
	if err == nil {
		l.writes.Add(1)
		_, err = answer(http.DefaultClient.Do(put))
	}
	if err == nil {
		l.reads.Add(1)
		var got []byte
		got, err = answer(http.Get(p.any() + "/notes/" + id))
		if err == nil && string(got) != text {
			err = errors.New("another note was read")
		}
	}
	if lost := new(url.Error); err != nil && !errors.As(err, &lost) && !strings.Contains(err.Error(), "EOF") {
		l.failed.Add(1)
		p.t.Error(err)
	}
}
