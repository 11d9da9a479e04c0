package keeper_test

import (
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// BenchmarkRewrap re-wraps pages of 512 in turn in this process and through the
// keeper, one session each, and reports the second rate as a share of the first.
func BenchmarkRewrap(b *testing.B) {
	pkcs11test.NewTokens(b, pkcs11test.Label)
	c := config(pkcs11test.Module(b), func(c *pkcs11.Config) { c.Sessions = 1 })
	kept := open(b, c)
	logIn(b, kept)
	here, err := c.Open()
	if err != nil {
		b.Fatal(err)
	}
	defer here.Close()
	logIn(b, here)
	_, items := keys(b, kept, 512)
	var took [2]time.Duration
	for b.Loop() {
		for i, p := range []provider.Provider{here, kept} {
			began := time.Now()
			if _, err := p.Rewrap(b.Context(), items, kek.NameOf(chain, 2)); err != nil {
				b.Fatal(err)
			}
			took[i] += time.Since(began)
		}
	}
	rate := func(i int) float64 { return float64(b.N*len(items)) / took[i].Seconds() }
	b.ReportMetric(rate(0), "here/s")
	b.ReportMetric(rate(1), "kept/s")
	b.ReportMetric(rate(1)/rate(0), "share")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkProcesses re-wraps pages of 4096 in turn in one process and in two, with one session each, and
// reports how many times as fast two are.
func BenchmarkProcesses(b *testing.B) {
	pkcs11test.TokensForPrograms(b, pkcs11test.Label)
	var kept [2]provider.Provider
	var took [2]time.Duration
	for i := range kept {
		kept[i] = open(b, config(pkcs11test.Module(b), inProcesses(i+1), func(c *pkcs11.Config) { c.Sessions = 1 }))
		logIn(b, kept[i])
	}
	_, items := keys(b, kept[0], 4096)
	canary(b, kept[1], kek.NameOf(chain, 2))
	for b.Loop() {
		for i, p := range kept {
			began := time.Now()
			if _, err := p.Rewrap(b.Context(), items, kek.NameOf(chain, 2)); err != nil {
				b.Fatal(err)
			}
			took[i] += time.Since(began)
		}
	}
	b.ReportMetric(float64(b.N*len(items))/took[0].Seconds(), "one/s")
	b.ReportMetric(float64(b.N*len(items))/took[1].Seconds(), "two/s")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}
