package pkcs11

import (
	"fmt"
	"strconv"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// A process of the fleet uses keys. It need not be able to make, change or destroy them, and some
// tokens have a user for that, with a PIN of its own. Which one it is differs: PKCS#11 names only
// CKU_USER. encryption.pkcs11.user is the number to give C_Login, or its word below.
//
// Where a PIN itself names the user, as on AWS CloudHSM (USER:PASSWORD), there is no number to
// give: a user with whom the keys are shared uses them, and cannot delete them
// (docs.aws.amazon.com/cloudhsm, "key share").
const (
	// limited is the word for Luna's Crypto User, CKU_LIMITED_USER in the cryptoki.h of
	// Thales: it uses keys, and the Crypto Officer, CKU_USER, makes and deletes them
	// (thalesdocs.com, "Partition Roles").
	limited     = "limited"
	limitedUser = 0x80000001
	// lowestUser is the lowest number that a vendor may have taken. Those below are the
	// standard's: CKU_SO, CKU_USER, CKU_CONTEXT_SPECIFIC (v2.40, 3.4 CK_USER_TYPE).
	lowestUser = 3
)

// tokenUser is the fact that says how applications log in.
const tokenUser = "token_user"

// userType reads a text for encryption.pkcs11.user; empty: the user who does everything.
func userType(text string) (uint, error) {
	switch text {
	case "":
		return pkcs11.CKU_USER, nil
	case limited:
		return limitedUser, nil
	}
	n, err := strconv.ParseUint(text, 0, 32)
	if err != nil || n < lowestUser {
		return 0, fmt.Errorf("%s: want %s, or the number of a user type of the token's vendor, such as 0x80000001",
			printable.Quote(text), limited)
	}
	return uint(n), nil
}

// ForProcess implements provider.Limited.
func (c Config) ForProcess() provider.Settings {
	c.Process = true
	return c
}

// loginUser is whom this process logs in as: people at a console make and destroy keys.
func (c Config) loginUser() uint {
	if !c.Process {
		return pkcs11.CKU_USER
	}
	user, err := userType(c.User)
	if err != nil { // which Check refused
		return pkcs11.CKU_USER
	}
	return user
}

// users says how applications log in, as it is configured.
func (c Config) users() string {
	if c.User == "" {
		return "one user may do everything, unless applications have a PIN of another user"
	}
	user, _ := userType(c.User)
	return fmt.Sprintf("applications are user type 0x%x", user)
}
