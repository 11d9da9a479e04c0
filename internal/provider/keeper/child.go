package keeper

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
	"github.com/certautopilot/kekceremony/internal/term"
)

// child is what the processes of a provider are started with, each with the same.
type child struct {
	settings provider.Settings
	pinned   map[string]string // facts that no child is asked for
	environ  []string
}

// startUnseen starts a keeper of which no other process of this user sees more than that
// it is there.
func (c child) startUnseen(t *term.Terminal, sockets []*os.File) (*Provider, error) {
	if err := secret.Untraced(); err != nil { // a tracer of this process would get its child too
		return nil, err
	}
	program, err := program()
	if err != nil {
		return nil, err
	}
	defer program.Close()
	p, err := c.start(program, t, sockets)
	if err != nil {
		err = fmt.Errorf("%w: %w", provider.ErrKeeper, err)
	}
	return p, err
}

// start starts a program, which is this one, as a keeper.
func (c child) start(program *os.File, t *term.Terminal, sockets []*os.File) (*Provider, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	mine, theirs := os.NewFile(uintptr(pair[0]), "keeper"), os.NewFile(uintptr(pair[1]), "keeper")
	defer mine.Close()
	defer theirs.Close()
	conn, err := net.FileConn(mine)
	if err != nil {
		return nil, err
	}
	words, said, err := listening()
	if err != nil {
		conn.Close()
		return nil, err
	}
	defer said.Close()
	cmd := exec.Command(link(program), Command)
	cmd.Args[0] = "kekceremony"
	cmd.Stderr = said // the only thing that is heard of what a module prints
	cmd.Env = c.environ
	cmd.ExtraFiles = []*os.File{theirs, nil, nil}
	if t != nil {
		cmd.ExtraFiles[1], cmd.ExtraFiles[2] = t.In, t.Out
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, sockets...)
	err = closeOnExec()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		err = unreadable(cmd.Process)
	}
	if errors.Is(err, os.ErrPermission) { // a rule of this host forbids to execute the copy
		err = fmt.Errorf("%w: %w", ErrReadable, err)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	p := &Provider{
		deadline: deadline(c.settings),
		conn:     conn,
		client:   rpc.NewClient(conn),
		cmd:      cmd,
		words:    words,
		exited:   make(chan struct{}),
	}
	go func() {
		_ = cmd.Wait() // how it ended is in its state
		close(p.exited)
		time.Sleep(time.Second) // for an answer that is on its way
		_ = p.client.Close()    // a child of its own may hold the other end
	}()
	return p, nil
}

// listening is the end of a pipe to write to, and who listens at the other.
func listening() (*lastWords, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	words := &lastWords{heard: make(chan struct{})}
	go words.listen(r)
	return words, w, nil
}

// closeOnExec keeps from children what this process was started with: a descriptor that
// a shell left open may be of a file that no module should read or write.
func closeOnExec() error {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, d := range list {
		if fd, err := strconv.Atoi(d.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd) // the directory's own is closed by now, which does no harm
		}
	}
	return nil
}

// environment is what the child gets of ours. A goroutine that is preempted by a signal
// leaves its vector registers, which may still hold a DEK, in memory that nobody wipes:
// the child turns that off (package runtime, Environment Variables: asyncpreemptoff). What it has in memory beside
// one page is small and lives long, so that collecting it at half the usual growth costs little, and each keeper
// takes less memory.
func environment(settings provider.Settings, all []string) []string {
	var out []string
	for _, line := range all {
		name, _, _ := strings.Cut(line, "=")
		if settings.Inherits(name) {
			out = append(out, line)
		}
	}
	return append(out, "GOTRACEBACK=none", "GODEBUG=asyncpreemptoff=1", "GOGC=50") // the last of a name counts
}

// deadline is how long a call into the provider may take.
func deadline(settings provider.Settings) time.Duration {
	if d, ok := settings.(provider.Deadline); ok {
		return cmp.Or(d.CallDeadline(), usualDeadline)
	}
	return usualDeadline
}

// kill ends the child, and keeps the first reason.
func (p *Provider) kill(why string) {
	p.mu.Lock()
	p.killed = cmp.Or(p.killed, why)
	p.mu.Unlock()
	_ = p.cmd.Process.Kill() // or it has ended by itself
	_ = p.client.Close()     // a child of its own may hold the other end
}

// gone says how the child ended. One that talks nonsense is ended.
func (p *Provider) gone(cause error) error {
	p.once.Do(func() { p.end = p.ended(cause) })
	return p.end
}

func (p *Provider) ended(cause error) error {
	var refused rpc.ServerError
	if errors.As(cause, &refused) {
		p.kill("it refused a call: " + string(refused))
	}
	select {
	case <-p.exited:
	case <-time.After(grace):
		p.kill("it hung up")
		<-p.exited
	}
	select {
	case <-p.words.heard:
	case <-time.After(time.Second): // a child of its own holds the other end
	}
	signal := ""
	if s := p.words.signal.Load(); s != nil {
		signal = *s
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("%w: %s", provider.ErrKeeper, cmp.Or(p.killed, signal, p.cmd.ProcessState.String()))
}
