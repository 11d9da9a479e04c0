package mongo

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/certautopilot/kekceremony/internal/store"
)

// TestNoConnection: an operation that needs a new connection, and gets none, is tried again, as after silence; then
// it is named.
func TestNoConnection(t *testing.T) {
	alert := func(code uint8) error { return &net.OpError{Op: "remote error", Err: tls.AlertError(code)} }
	for _, c := range []struct {
		failure error
		is      error
	}{
		{alert(45), store.ErrCertificate},
		{alert(116), store.ErrCertificate},
		{alert(80), store.ErrTLS}, // internal_error
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, store.ErrCertificate},
		{&net.DNSError{IsNotFound: true}, store.ErrNoHost},
	} {
		err := fmt.Errorf("connection: %w", c.failure)
		h := &health{writable: true, trusted: true}
		if !silent(err) || !errors.Is(h.cause(asked{tls: true}, err), c.is) {
			t.Errorf("%v: silent %v, %v", err, silent(err), h.cause(asked{tls: true}, err))
		}
	}
}
