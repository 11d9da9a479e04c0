package mongo

import (
	"errors"
	"net"
	"slices"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
)

// transient are the codes with which a server says that it cannot do now what it may do soon, of
// MongoDB's error_codes.yml. Whether it did it is open.
var transient = map[int]string{
	6:     "HostUnreachable",
	7:     "HostNotFound",
	24:    "LockTimeout",
	43:    "CursorNotFound",
	46:    "LockBusy",
	50:    "MaxTimeMSExpired",
	64:    "WriteConcernTimeout",
	89:    "NetworkTimeout",
	91:    "ShutdownInProgress",
	112:   "WriteConflict",
	117:   "ConflictingOperationInProgress",
	133:   "FailedToSatisfyReadPreference",
	134:   "ReadConcernMajorityNotAvailableYet",
	136:   "CappedPositionLost",
	150:   "StaleEpoch",
	175:   "QueryPlanKilled",
	189:   "PrimarySteppedDown",
	202:   "NetworkInterfaceExceededTimeLimit",
	215:   "DatabaseDropPending",
	216:   "ElectionInProgress",
	237:   "CursorKilled",
	246:   "SnapshotUnavailable",
	249:   "StaleDbVersion",
	262:   "ExceededTimeLimit",
	314:   "ObjectIsBusy",
	365:   "TemporarilyUnavailable",
	384:   "ConnectionError",
	402:   "ResourceExhausted",
	407:   "PooledConnectionAcquisitionExceededTimeLimit",
	433:   "AdmissionQueueOverflow",
	449:   "RateLimitExceeded",
	9001:  "SocketException",
	10058: "NotPrimary, of old servers",
	10107: "NotWritablePrimary",
	11600: "InterruptedAtShutdown",
	11602: "InterruptedDueToReplStateChange",
	13388: "StaleConfig",
	13435: "NotPrimaryNoSecondaryOk",
	13436: "NotPrimaryOrSecondary",
	16500: "the request rate is too large, of Azure Cosmos DB",
}

// labels say the same of an error whose code does not: MongoDB's specifications of retryable reads
// and writes, of transactions and of overload.
var labels = []string{"RetryableWriteError", "TransientTransactionError", "RetryableError", "SystemOverloadedError"}

// errUndecided: something has taken the id, and the majority does not have it. It may yet be rolled back.
var errUndecided = errors.New("the majority does not have the record that has taken the id")

// errDemoted: the server to which the URI connects directly has become a secondary.
var errDemoted = errors.New("the server is no primary any more")

// open reports whether an error leaves open if the operation happened.
func open(err error) bool { return putOff(err) || silent(err) }

// silent reports that no server answered: the connection broke (this operation's, or another one's
// that cleared the pool), none came about, or time ran out.
func silent(err error) bool {
	if driver.IsNetworkError(err) || driver.IsTimeout(err) {
		return true
	}
	var dns *net.DNSError // which the driver does not count as one of the network
	if errors.As(err, &dns) || untrusted(err, true) != nil {
		return true
	}
	var cleared interface{ Retryable() bool }
	return errors.As(err, &cleared) && cleared.Retryable()
}

// answers reports that a server answered the monitor, with an error: the driver's inner type has no name of its
// own in the driver's package.
func answers(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if said, ok := err.(interface{ NetworkError() bool }); ok && !said.NetworkError() {
			return true
		}
	}
	return false
}

// putOff reports that a server answered, and that the answer may be another one soon: by a code or a
// label, of the whole command or of one of its parts, or as the majority was not waited for.
func putOff(err error) bool {
	if errors.Is(err, errUndecided) || errors.Is(err, errDemoted) {
		return true
	}
	var server driver.ServerError
	if !errors.As(err, &server) {
		return false
	}
	var one driver.WriteException
	var many driver.BulkWriteException
	return slices.ContainsFunc(server.ErrorCodes(), isTransient) || slices.ContainsFunc(labels, server.HasErrorLabel) ||
		errors.As(err, &one) && one.WriteConcernError != nil || errors.As(err, &many) && many.WriteConcernError != nil
}

func isTransient(code int) bool { return transient[code] != "" }
