package mongo

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"

	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// asked is what a URI asks for, by which silence is explained.
type asked struct {
	tls, user, direct bool
	token             bool   // to log in, this host gets something from a service
	set               string // replica set
	documentDB        bool
}

func asks(o *options.ClientOptions) asked {
	a := asked{tls: o.TLSConfig != nil, user: o.Auth != nil, direct: o.Direct != nil && *o.Direct,
		documentDB: namedAs(o.Hosts, ".docdb.amazonaws.com", ".docdb-elastic.amazonaws.com")}
	if o.Auth != nil {
		a.token = slices.Contains([]string{"MONGODB-AWS", "MONGODB-OIDC"}, o.Auth.AuthMechanism)
	}
	if o.ReplicaSet != nil {
		a.set = *o.ReplicaSet
	}
	return a
}

// serviceOf names the service behind an error that its settings may explain.
func (a asked) serviceOf(err error) error {
	is := func(name error) bool { return errors.Is(err, name) }
	if a.documentDB && slices.ContainsFunc([]error{store.ErrSilent, store.ErrWantsTLS, store.ErrNoTLS,
		store.ErrTLS, store.ErrEnds, store.ErrCertificate, store.ErrReplicaSet, store.ErrServer}, is) {
		return fmt.Errorf("%w: %w", store.ErrDocumentDB, err)
	}
	return err
}

// unreached names why no server could be asked, by what came of a connection; nil: it says nothing of that.
// met: some server has answered before. trusted: a certificate of one was taken.
func (a asked) unreached(failure error, met, trusted bool) error {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	tlsError := untrusted(failure, trusted)
	closed := errors.Is(failure, io.EOF) || errors.Is(failure, io.ErrUnexpectedEOF) ||
		errors.Is(failure, syscall.ECONNRESET) || errors.Is(failure, syscall.EPIPE)
	switch {
	case errors.As(failure, &dns) && dns.IsNotFound:
		return store.ErrNoHost
	case tlsError != nil:
		return tlsError
	case trusted && !met && (closed || isNoise(failure)):
		return store.ErrEnds
	case errors.As(failure, &record), a.tls && !met && closed:
		return store.ErrNoTLS
	case !a.tls && !met && (closed || isNoise(failure)):
		return store.ErrWantsTLS
	}
	return nil
}

// isNoise reports that something answered in another protocol.
func isNoise(failure error) bool {
	return failure != nil && strings.Contains(failure.Error(), "length of read message")
}

// unfit names why none of the servers that answer can be used; nil: some can, or none answers.
func (a asked) unfit(servers []event.ServerDescription) error {
	var sets []string
	for _, s := range servers {
		if s.Kind != "Unknown" {
			sets = append(sets, s.SetName)
		}
	}
	switch {
	case len(sets) == 0:
		return nil
	case a.set != "" && !slices.Contains(sets, a.set):
		of := "of none"
		if sets[0] != "" {
			of = "of " + printable.Text(sets[0])
		}
		return fmt.Errorf("%w: it is %s, the URI names %s", store.ErrReplicaSet, of, printable.Text(a.set))
	}
	return fmt.Errorf("%w: its replica set has no primary", store.ErrNotReady)
}

// Codes of MongoDB's error_codes.yml, and one of MongoDB Atlas.
const (
	codeBadValue             = 2
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
	codeCommandNotFound      = 59
	codeMechanismUnavailable = 334
	codeAtlas                = 8000
)

// refused names why a server does not serve this user; nil: that is not what it says.
func (a asked) refused(err error) error {
	var server driver.ServerError
	if !errors.As(err, &server) {
		return a.refusedHere(err)
	}
	says := func(words ...string) bool { return slices.ContainsFunc(words, server.HasErrorMessage) }
	login := server.HasErrorCode(codeAuthenticationFailed) || server.HasErrorCode(codeAtlas) && says("auth")
	switch {
	case server.HasErrorCode(codeMechanismUnavailable),
		server.HasErrorCode(codeCommandNotFound) && says("'authenticate'"), // of MONGODB-X509
		(login || server.HasErrorCode(codeBadValue)) && says("nsupported authentication mechanism", "for mechanism"):
		return store.ErrMechanism
	case login, server.HasErrorCode(codeUnauthorized) && !a.user && says("requires authentication"):
		return store.ErrLogin
	case server.HasErrorCode(codeUnauthorized), server.HasErrorCode(codeAtlas):
		return store.ErrDenied
	}
	return nil
}

// refusedHere names why this side does not go on with a connection on which the server answers; nil: it does.
func (a asked) refusedHere(err error) error {
	switch text := err.Error(); {
	case driver.IsNetworkError(err), driver.IsTimeout(err):
		return nil
	case a.token && strings.Contains(text, "auth error: "):
		return store.ErrNoToken
	case strings.Contains(text, "load balancing mode"):
		return store.ErrOption
	}
	return nil
}
