package mongo

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/store"
)

// Alerts of TLS (RFC 8446, section 6) about a certificate, and the one that says it of a missing one too.
var certificateAlerts = []tls.AlertError{
	42,  // bad_certificate
	43,  // unsupported_certificate
	44,  // certificate_revoked
	45,  // certificate_expired
	46,  // certificate_unknown
	48,  // unknown_ca
	49,  // access_denied
	116, // certificate_required
}

const handshakeFailure = tls.AlertError(40) // also what servers of TLS 1.2 say to a client without a certificate

// untrusted names why two sides do not get as far as a connection with TLS; nil: that is not what happened.
// trusted: this side has taken a certificate of the server before.
func untrusted(failure error, trusted bool) error {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	alert, ok := alertOf(failure)
	is := func(a tls.AlertError) bool { return alert == a.Error() }
	switch {
	case errors.As(failure, &verify), errors.As(failure, &authority),
		ok && (slices.ContainsFunc(certificateAlerts, is) || trusted && is(handshakeFailure)):
		return store.ErrCertificate
	case ok, failure != nil && strings.Contains(failure.Error(), "tls: server selected unsupported"):
		return store.ErrTLS
	}
	return nil
}

// alertOf is the text of an alert that the server sent. The package tls has no type for it, but of QUIC: its own
// one is not exported, and marks what another side sent.
func alertOf(failure error) (string, bool) {
	var op *net.OpError
	if !errors.As(failure, &op) || op.Op != "remote error" {
		return "", false
	}
	return op.Err.Error(), true
}
