package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/keeper"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// isolated are the rates of one loop in this process and through a keeper, in
// envelopes per second.
type isolated struct{ here, kept float64 }

// How much is re-wrapped.
const (
	pageSize = 512
	pages    = 400 // by each
)

func (l lab) isolated(ctx context.Context) (isolated, error) {
	parts, err := l.installed(ctx, "pkcs11", "isolated")
	if err != nil {
		return isolated{}, err
	}
	module, err := rehearsal.Module()
	if err != nil {
		return isolated{}, err
	}
	settings := pkcs11.Config{
		ModulePath: module, TokenLabel: rehearsal.TokenLabel, Sessions: 1, Environment: []string{"SOFTHSM2_CONF"},
	}
	here, err := settings.Open()
	if err != nil {
		return isolated{}, err
	}
	defer here.Close()
	kept, err := keeper.Open(ctx, settings, nil, nil)
	if err != nil {
		return isolated{}, err
	}
	defer kept.Close()
	both := []provider.Provider{here, kept}
	for _, p := range both {
		if err := (login.Login{PIN: login.PIN{File: filepath.Join(parts.Dir, "pin")}}).Into(ctx, p); err != nil {
			return isolated{}, err
		}
	}
	const chain = kek.Chain("00112233445566778899aabbccddeeff") // of no store
	from, to := kek.NameOf(chain, 1), kek.NameOf(chain, 2)
	for _, n := range []kek.Name{from, to} {
		if err := here.Generate(ctx, n); err != nil {
			return isolated{}, err
		}
	}
	wrapped, err := here.Wrap(ctx, from, make([]byte, kek.Size))
	if err != nil {
		return isolated{}, err
	}
	items := slices.Repeat([]provider.Item{{From: from, Wrapped: wrapped}}, pageSize)
	var took [2]time.Duration
	for range pages {
		for i, p := range both {
			began := time.Now()
			if _, err := p.Rewrap(ctx, items, to); err != nil {
				return isolated{}, err
			}
			took[i] += time.Since(began)
		}
	}
	rate := func(t time.Duration) float64 { return pages * pageSize / t.Seconds() }
	return isolated{rate(took[0]), rate(took[1])}, nil
}

// serveKeeper makes this program a keeper when it was started as one.
func serveKeeper() {
	keeper.Register(pkcs11.Config{})
	if len(os.Args) > 1 && os.Args[1] == keeper.Command {
		if keeper.Serve() != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
}
