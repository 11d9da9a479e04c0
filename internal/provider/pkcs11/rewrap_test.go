package pkcs11_test

import (
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// BenchmarkRewrap is one session re-wrapping; the raw loop beside it is that of
// make bench.
func BenchmarkRewrap(b *testing.B) {
	pkcs11test.NewTokens(b, pkcs11test.Label)
	p := open(b, pkcs11test.Module(b))
	if err := login(b, p, pkcs11test.PIN); err != nil {
		b.Fatal(err)
	}
	const chain = kek.Chain("00112233445566778899aabbccddeeff")
	for v := range kek.Version(2) {
		if err := p.Generate(b.Context(), kek.NameOf(chain, v+1)); err != nil {
			b.Fatal(err)
		}
	}
	var items []provider.Item
	for range 1000 {
		w, err := p.Wrap(b.Context(), kek.NameOf(chain, 1), make([]byte, kek.Size))
		if err != nil {
			b.Fatal(err)
		}
		items = append(items, provider.Item{From: kek.NameOf(chain, 1), Wrapped: w})
	}
	for b.Loop() {
		if _, err := p.Rewrap(b.Context(), items, kek.NameOf(chain, 2)); err != nil {
			b.Fatal(err)
		}
	}
	b.Log(p.Workers())
	b.ReportMetric(float64(len(items)*b.N)/b.Elapsed().Seconds(), "re-wraps/s")
}
