package keeper

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/rpc"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/certautopilot/kekceremony/internal/provider"
)

// Descriptors that the child is started with.
const (
	fdSocket = 3
	fdIn     = 4 // of the terminal, if there is one
	fdOut    = 5
	fdOthers = 6 // of the sockets to other keepers
)

// Serve is the child: it answers until the other end of its socket is closed. What
// is typed at the terminal is not for it, so it lets signals pass.
func Serve() error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGPIPE, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
	file := os.NewFile(fdSocket, "keeper")
	conn, err := net.FileConn(file)
	if err != nil {
		return fmt.Errorf("keeper: it is started by other commands only: %w", err)
	}
	file.Close() // conn is a copy that nothing inherits
	k := &keeper{jobs: make(chan func())}
	go k.work()
	server := rpc.NewServer()
	if err := server.RegisterName(service, &Methods{k}); err != nil {
		return err
	}
	alone := make(chan struct{})
	leave := sync.OnceFunc(func() { close(alone) })
	go server.ServeConn(&ending{conn, leave})
	go orphaned(leave)
	<-alone
	k.callOff(math.MaxUint64) // somebody may be typing: the terminal is put back
	select {
	case k.jobs <- func() {}:
	case <-time.After(time.Second): // a call into the module may hang: it is not waited for
	}
	return nil
}

// orphaned looks whether this process has another parent than it was started by: a
// module may have closed the socket.
func orphaned(leave func()) {
	for parent := os.Getppid(); os.Getppid() == parent; {
		time.Sleep(time.Second)
	}
	leave()
}

// ending tells when there is nothing more to read.
type ending struct {
	net.Conn
	ended func()
}

func (e *ending) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	if err != nil {
		e.ended()
	}
	return n, err
}

// keeper does one job after the other, all on one thread: a module in C finds its
// memory where it left it.
type keeper struct {
	jobs     chan func()
	provider provider.Provider
	in, out  *os.File // of the terminal; nil: there is none
	sharing  sharing

	mu        sync.Mutex
	probing   *probing
	calledOff uint64 // the highest call that was
	call      uint64 // in work
	stop      context.CancelFunc
}

func (k *keeper) work() {
	runtime.LockOSThread()
	for job := range k.jobs {
		job()
	}
}

// do has the worker do a job of a call. A panic is its error.
func (k *keeper) do(call uint64, job func(context.Context) error) *Fault {
	done := make(chan *Fault, 1)
	k.jobs <- func() {
		ctx, stop := k.begin(call)
		defer stop()
		defer func() {
			if p := recover(); p != nil {
				done <- faultOf(fmt.Errorf("internal error: %v", p))
			}
		}()
		done <- faultOf(job(ctx))
	}
	return <-done
}

func (k *keeper) begin(call uint64) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(context.Background())
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.call, k.stop = call, stop; call <= k.calledOff {
		stop()
	}
	return ctx, stop
}

// callOff ends a call and those before it, also one that has not begun.
func (k *keeper) callOff(call uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calledOff = max(k.calledOff, call)
	if k.call <= call && k.stop != nil {
		k.stop()
	}
}
