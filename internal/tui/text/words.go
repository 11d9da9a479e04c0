package text

// Words are those that a plan uses, and what each means, for people who approve one.
var Words = [][2]string{
	{"KEK", "the key that is generated, used and destroyed here; it wraps DEKs"},
	{"DEK", "the data key of one secret field; the database has it wrapped by a KEK"},
	{"envelope", "a secret field with its wrapped DEK"},
	{"canary", "a test value wrapped by a version; who opens it has that very key"},
	{"chain", "all ceremonies of this database, each bound to the one before"},
	{"census", "a count of all envelopes by version"},
	{"fence", "a rule in the database that refuses new envelopes at old versions"},
	{"active", "the version that new envelopes are written with"},
	{"live", "a version that processes may use; retired: one that they only read with"},
	{"AAD", "what binds a wrapped DEK to its record: in another one it does not open"},
}
