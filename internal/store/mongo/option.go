package mongo

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/nearest"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// uriOptions are the options of a URI of the driver's documentation. The driver takes any other in silence,
// and so a misspelled one. docs/mongodb.md has the same lists.
var uriOptions = strings.Fields(`
	authMechanism authMechanismProperties authSource compressors connect connectTimeoutMS directConnection
	heartbeatFrequencyMS heartbeatIntervalMS loadBalanced localThresholdMS maxConnecting maxIdleTimeMS maxPoolSize
	minPoolSize replicaSet serverMonitoringMode socketTimeoutMS srvMaxHosts srvServiceName timeoutMS
	zlibCompressionLevel zstdCompressionLevel
	ssl tls tlsCAFile tlsCertificateFile tlsCertificateKeyFile tlsCertificateKeyFilePassword
	tlsDisableCertificateRevocationCheck tlsDisableOCSPEndpointCheck tlsPrivateKeyFile
	sslCertificateAuthorityFile sslClientCertificateKeyFile sslClientCertificateKeyPassword`)

// ownOptions have no effect: the store sets what they set, or only other drivers know them.
var ownOptions = strings.Fields(`
	appName enableOverloadRetargeting journal maxAdaptiveRetries maxStaleness maxStalenessSeconds readConcernLevel
	readPreference readPreferenceTags retryReads retryWrites serverSelectionTimeoutMS uuidRepresentation w
	waitQueueTimeoutMS wtimeoutMS`)

// insecureOptions have a client take any certificate, or any name in it.
var insecureOptions = strings.Fields(`
	sslInsecure tlsAllowInvalidCertificates tlsAllowInvalidHostnames tlsInsecure`)

// option is one of a URI.
type option struct {
	name, value string
	written     string // as the URI has it, escaped
}

// optionsOf are the options of a URI whose hosts the driver could read.
func optionsOf(uri string) (all []option) {
	_, rest, _ := strings.Cut(uri, "://")
	_, path, _ := strings.Cut(rest, "/")
	_, query, _ := strings.Cut(path, "?")
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		all = append(all, option{unescaped(name), unescaped(value), pair})
	}
	return all
}

// unescaped is a text as the driver reads it; one that it cannot read, as it stands.
func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// check refuses an option that does nothing, or too much.
func (o option) check() error {
	is := func(name string) bool { return strings.EqualFold(o.name, name) }
	switch {
	case slices.ContainsFunc(insecureOptions, is):
		if strings.EqualFold(o.value, "false") {
			return nil
		}
		return fmt.Errorf("%w: %s", store.ErrInsecure, printable.Text(o.name))
	case slices.ContainsFunc(uriOptions, is), slices.ContainsFunc(ownOptions, is):
		return checkValue(o.name, o.value)
	}
	return fmt.Errorf("%w: %s: there is no such option%s", store.ErrOption, printable.Text(o.name), meant(o.name))
}

// unread is what is wrong with a URI that the driver does not read, if that is one of its options.
func unread(uri string) error {
	base, query, found := strings.Cut(uri, "?")
	if !found || strings.Contains(query, "@") || len(optionsOf(uri)) == 0 ||
		len(options.Client().ApplyURI(base).Hosts) == 0 {
		return nil
	}
	for _, o := range optionsOf(uri) {
		if err := o.check(); err != nil {
			return err
		}
		alone := "mongodb://localhost/db?" + o.written
		if !strings.HasPrefix(strings.ToLower(o.name), "srv") && len(options.Client().ApplyURI(alone).Hosts) == 0 {
			return fmt.Errorf("%w: %s: this is not a value for it", store.ErrOption, printable.Text(o.name))
		}
	}
	return fmt.Errorf("%w: the options do not go together", store.ErrOption)
}

// meant is a hint at the option that was meant.
func meant(name string) string {
	return nearest.Question(nearest.To(name, slices.Concat(uriOptions, ownOptions)))
}
