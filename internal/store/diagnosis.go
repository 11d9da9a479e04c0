package store

import "errors"

// Why a server cannot be used as it is configured. Each has a hint of its own.
var (
	ErrOption      = errors.New("the store's URI has an option that is not valid")
	ErrInsecure    = errors.New("the store's URI asks for a connection that anyone can listen to")
	ErrFile        = errors.New("a file that the store's URI names cannot be used")
	ErrNoHost      = errors.New("no such host")
	ErrCertificate = errors.New("the store's server and this program do not trust each other's certificate")
	ErrNoTLS       = errors.New("the store's server does not speak TLS there")
	ErrTLS         = errors.New("the store's server and this program do not agree on TLS")
	ErrEnds        = errors.New("the store's server ends a connection with TLS before it says what it is")
	ErrWantsTLS    = errors.New("the store's server ends the connection before it says what it is")
	ErrLogin       = errors.New("the store's server does not let this user in")
	ErrMechanism   = errors.New("the store's server and this program share no way to log in")
	ErrNoToken     = errors.New("this host gets nothing to log in to the store with")
	ErrReplicaSet  = errors.New("the store's server is of another replica set")
	ErrSecondary   = errors.New("the store's server is a secondary, which shows what may be old")
	ErrCosmos      = errors.New("Azure Cosmos DB with request units does not give what a ceremony relies on")
	ErrDocumentDB  = errors.New("this is Amazon DocumentDB")
	ErrView        = errors.New("no collection of records that can be re-wrapped")
	ErrOpaque      = errors.New("the client encrypts this field, so that nobody sees if it is an envelope")
)
