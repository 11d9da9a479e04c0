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
func checkValue(name, value string) error {
	is := func(other string) bool { return strings.EqualFold(name, other) }
	if is("authMechanism") && !slices.Contains(mechanisms, strings.ToUpper(value)) {
		return fmt.Errorf("%w: %s is none of %s", store.ErrMechanism, printable.Text(value),
			strings.Join(mechanisms, ", "))
	}
	for other, known := range values {
		unknown := func(v string) bool { return !slices.Contains(known, v) }
		if is(other) && slices.ContainsFunc(strings.Split(value, ","), unknown) {
			return noValue(name, "want "+strings.Join(known, ", "))
		}
	}
	if _, err := strconv.ParseUint(value, 10, 31); err != nil && slices.ContainsFunc(numbers, is) {
		return noValue(name, "want a whole number")
	}
	// An administrator may name other write concerns.
	if is("w") && value != "majority" && nearest.To(value, []string{"majority"}) != "" {
		return noValue(name, "did you mean majority?")
	}
	return nil
}

func noValue(name, want string) error {
	return fmt.Errorf("%w: %s: this is not a value for it, %s", store.ErrOption, printable.Text(name), want)
}
