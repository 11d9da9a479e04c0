package mongo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/nearest"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// mechanisms are the ways to log in that the driver has as it is built: without GSSAPI, for which it needs a
// library.
var mechanisms = strings.Fields("MONGODB-AWS MONGODB-OIDC MONGODB-X509 PLAIN SCRAM-SHA-1 SCRAM-SHA-256")

// The values of options that the driver takes as they are: it passes over those that it does not know, or leaves
// them to the server, or knows nothing of the option.
var values = map[string][]string{
	"compressors":        {"snappy", "zlib", "zstd"}, // several, with commas
	"readConcernLevel":   {"available", "linearizable", "local", "majority", "snapshot"},
	"uuidRepresentation": {"csharpLegacy", "javaLegacy", "pythonLegacy", "standard", "unspecified"},
}

// numbers are options of other drivers that are whole numbers.
var numbers = []string{"waitQueueTimeoutMS", "wtimeoutMS"}

// checkValue refuses a value that an option cannot have, if the driver does not.
func (o option) checkValue() error {
	is := func(name string) bool { return strings.EqualFold(o.name, name) }
	if is("authMechanism") && !slices.Contains(mechanisms, strings.ToUpper(o.value)) {
		return fmt.Errorf("%w: %s is none of %s", store.ErrMechanism, printable.Text(o.value),
			strings.Join(mechanisms, ", "))
	}
	for name, known := range values {
		unknown := func(v string) bool { return !slices.Contains(known, v) }
		if is(name) && slices.ContainsFunc(strings.Split(o.value, ","), unknown) {
			return o.refused("want " + strings.Join(known, ", "))
		}
	}
	if _, err := strconv.ParseUint(o.value, 10, 31); err != nil && slices.ContainsFunc(numbers, is) {
		return o.refused("want a whole number")
	}
	// An administrator may name other write concerns.
	if is("w") && o.value != "majority" && nearest.To(o.value, []string{"majority"}) != "" {
		return o.refused("did you mean majority?")
	}
	return nil
}

func (o option) refused(want string) error {
	return fmt.Errorf("%w: %s: this is not a value for it, %s", store.ErrOption, printable.Text(o.name), want)
}
