//go:build ferretdb

// Command secured is FerretDB as the command beside it, but with a user, TLS and the name of a replica set,
// which the public package does not offer. It builds in a copy of FerretDB's own module: secured DIR CERT
// KEY USER PASSWORD SET. It prints the plain address and the one with TLS.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/FerretDB/FerretDB/internal/clientconn"
	"github.com/FerretDB/FerretDB/internal/clientconn/connmetrics"
	"github.com/FerretDB/FerretDB/internal/handler/registry"
	"github.com/FerretDB/FerretDB/internal/util/password"
	"github.com/FerretDB/FerretDB/internal/util/state"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	dir, cert, key, user, word, set := args[0], args[1], args[2], args[3], args[4], args[5]
	plain, err := freePort()
	secured, err2 := freePort()
	states, err3 := state.NewProvider("")
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	if err := states.Update(func(s *state.State) { s.DisableTelemetry(); s.TelemetryLocked = true }); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	metrics := connmetrics.NewListenerMetrics()
	handler, end, err := registry.NewHandler("sqlite", &registry.NewHandlerOpts{
		Logger: logger, ConnMetrics: metrics.ConnMetrics, StateProvider: states, TCPHost: plain, ReplSetName: set,
		SQLiteURL: "file:" + dir + "/", SetupDatabase: "admin", SetupUsername: user,
		SetupPassword: password.WrapPassword(word), SetupTimeout: time.Minute,
		TestOpts: registry.TestOpts{CappedCleanupPercentage: 10, BatchSize: 100, EnableNewAuth: true},
	})
	if err != nil {
		return err
	}
	defer end()
	l, err := clientconn.Listen(&clientconn.NewListenerOpts{TCP: plain, TLS: secured, TLSCertFile: cert,
		TLSKeyFile: key, Mode: clientconn.NormalMode, Metrics: metrics, Handler: handler, Logger: logger})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	fmt.Println(plain, secured)
	l.Run(ctx)
	return nil
}

// freePort finds a free loopback port: FerretDB takes an address, not a listener.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
