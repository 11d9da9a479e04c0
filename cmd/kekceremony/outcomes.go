package main

import (
	"context"
	"io/fs"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/exposure"
	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/keeper"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/secret"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/term"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// outcome is what an error means to anyone who runs the command.
type outcome struct {
	err  error
	code int
	hint string
}

// outcomes is looked through from the top; the first match decides.
var outcomes = []outcome{
	{engine.ErrNothingDue, exitDone, ""},
	{errDue, exitDue, "kekceremony status lists what is due, each with its command"},
	{errLacking, exitDue, "compare the entries with the application, and add them to the configuration"},
	{steps.ErrNotAdopted, exitUsage, "describe the database in the section adopted: docs/adopt.md"},
	{steps.ErrAdopted, exitRefused, "kekceremony adopt, or take the section adopted out of the configuration"},
	{steps.ErrTwoLocks, exitRefused,
		"find out which chain this database belongs to; adopted.records of the configuration names its records"},
	{steps.ErrNothingThere, exitRefused, "kekceremony catalogue suggest finds the places; on an empty store, install"},
	{steps.ErrNoVersion, exitRefused, "name the part with the version in the catalogue, or repair these records"},
	{steps.ErrKeyMissing, exitRefused, "give this host that key, and run the same command"},
	{steps.ErrSample, exitRefused, "open all of them, or give the reason in the wizard (d), or as deviation.sample"},
	{steps.ErrMadeOutside, exitRefused,
		"find out where it was made and who has it; to adopt it, give the reason in the wizard (d), or as " +
			"deviation.key_of_N"},
	{steps.ErrNoPointer, exitRefused,
		"describe it: adopted.pointer of the configuration; until then there is verify, and no rotation"},
	{steps.ErrTheirPointer, exitRefused, "find out who moved it, and move it back; then run the same command"},
	{steps.ErrOccupied, exitRefused, "choose another prefix: adopted.records of the configuration"},
	{steps.ErrOtherRecords, exitRefused, "correct the section adopted of the configuration; nothing was changed"},
	{steps.ErrOtherPointer, exitRefused, "correct adopted.pointer of the configuration"},
	{rewrap.ErrUnnamed, exitRefused,
		"give these records such an id or key, or rotate with --exclude; nothing was re-wrapped"},
	{envelope.ErrKeyChanges, exitUsage, "name another field in the catalogue of the configuration: key"},
	{rewrap.ErrUnopened, exitRefused, "find the key of these envelopes, or remove them; nothing was changed"},
	{store.ErrPointer, exitRefused, "correct adopted.pointer: its filter must fit one record, whose field is the version"},
	{store.ErrPlace, exitUsage, "kekceremony catalogue suggest prints the entries that this store needs"},
	{engine.ErrDisagreed, exitIncomplete,
		transcript.DisagreedNext},
	{errNotBegun, exitAgain, ""},
	{errStopped, exitAgain, ""},
	{engine.ErrInterrupted, exitAgain, "everything up to here is in the transcript; the same command continues"},
	{transcript.ErrFenced, exitAgain,
		"this console has stopped; end the other console, then run the same command"},
	{transcript.ErrLocked, exitAgain, "end the other console, then run the same command"},
	{term.ErrInterrupted, exitAgain, ""},
	{term.ErrNone, exitUsage, "run it on a terminal, or with --ui none"},
	{engine.ErrNobody, exitUsage, "set encryption.pin_file or encryption.pin_credential, or run it on a terminal"},
	{transcript.ErrWentBack, exitRefused,
		"sign nothing; restore the store's newest copy, or find out who edited it; if there is no newer copy, abort what " +
			"is unfinished, then run kekceremony reconcile; if it is meant to be another store, move the old bundles away " +
			"and keep them; this run changed nothing"},
	{history.ErrFork, exitRefused,
		"keep the store and the bundles as they are; find out which ceremony was held on a restored copy, or who edited " +
			"it: the people who signed know; nothing was taken over"},
	{history.ErrHistory, exitRefused, // before what is wrong in it
		"compare the store with the bundles: kekceremony transcript verify --chain DIR --store URI"},
	{transcript.ErrClosed, exitRefused, "the ceremony already had enough final signatures; this one is not kept"},
	{transcript.ErrIncomplete, exitIncomplete, "run the same ceremony's command to gather what is missing"},
	{transcript.ErrVoid, exitIncomplete, "it proves nothing of any key; look at the chain of the ceremonies: --chain DIR"},
	{transcript.ErrForked, exitRefused,
		"move the bundle away and keep it; the same command builds it again from the store"},
	{steps.ErrInstalled, exitRefused, "a store is installed once; see kekceremony transcript list"},
	{steps.ErrNotInstalled, exitRefused, "run kekceremony install first"},
	{steps.ErrStoreUsed, exitRefused,
		"install needs an empty store; a database that an application made is adopted (docs/adopt.md), before it " +
			"has records of ours"},
	{steps.ErrTokenUsed, exitRefused, "use a token without such a key"},
	{store.ErrLockDiffers, exitRefused, "no token was touched; correct the configuration"},
	{steps.ErrPlaced, exitRefused,
		"find out who made it; to make it the version, give the reason in the wizard (d), or as deviation.key_made in the " +
			"answers; or remove it, and the ceremony makes a key; this run changed nothing"},
	{steps.ErrWritten, exitRefused,
		"find out who wrote these envelopes, and with which key; have the application write them again with the active " +
			"version; no key was made"},
	{engine.ErrPlanted, exitRefused, "find out who made it before anything else; this run changed nothing"},
	{steps.ErrDoubtfulKey, exitRefused, "do not use this key; find out who made it"},
	{steps.ErrLostKey, exitRefused,
		"use the token or the secrets file that has this key, then run the same command; this run changed nothing"},
	{steps.ErrCanary, exitRefused, "store and token disagree with the transcript; this run changed no key"},
	{steps.ErrClock, exitAgain, "set the clock of the store's server; the same command verifies the fleet again"},
	{steps.ErrFellSilent, exitAgain,
		"start them again, or find out what became of them; to continue, give the reason in the wizard (d), " +
			"or as deviation.fell_silent in the answers"},
	{history.ErrVersions, exitRefused,
		"find out who changed it; to continue, and repair it by a rotation, give the reason in the wizard (d), " +
			"or as deviation.NAME in the answers; this run changed nothing"},
	{history.ErrNotDestroyed, exitRefused,
		"find out who changed it, and put the state of the version's row back with the database's own tools; " +
			"this run changed nothing"},
	{steps.ErrPins, exitRefused,
		"find out why it differs; to continue, give the reason in the wizard (d), " +
			"or as deviation.NAME in the answers; this run changed nothing"},
	{steps.ErrNotDisabled, exitRefused,
		"a version is rotated away from, then disabled, then destroyed: kekceremony status; nothing was changed"},
	{steps.ErrWaiting, exitRefused, "run the same command then; nothing was changed"},
	{steps.ErrClocks, exitRefused,
		"set the clocks of this console and of the store's server, and run the same command again; nothing was " +
			"destroyed"},
	{steps.ErrHeld, exitRefused,
		"end this process, or find out why it did not drop the version; one that was killed counts until the time beside " +
			"it; nothing was changed"},
	{steps.ErrRefused, exitRefused,
		"find out which record it wanted to read, and from where: kekceremony enable makes the version readable again, and " +
			"kekceremony abort comes before it if this ceremony was begun; if no process of yours wrote it, give the reason " +
			"in the wizard (d), or as deviation.NAME in the answers, where that is offered; nothing was destroyed"},
	{steps.ErrKeeping, exitRefused, "run kekceremony abort, which ends this ceremony; nothing was destroyed"},
	{steps.ErrElsewhere, exitRefused,
		"continue there; if that place is lost, give the reason in the wizard (d), or as deviation.NAME in the answers: it " +
			"becomes an open copy; this run changed nothing"},
	{steps.ErrCatalogue, exitRefused, "put the place back into the catalogue of the configuration; nothing was changed"},
	{steps.ErrAbsent, exitRefused, "start what is missing, or correct fleet.expect; nothing was changed"},
	{provider.ErrKept, exitRefused,
		"log in as a user who may destroy keys, have the token's owner allow it, or unset the variable; then the same " +
			"command continues, or kekceremony abort; nothing was destroyed"},
	{steps.ErrStillHeld, exitAgain,
		"remove the variable on these hosts, and restart the processes; then the same command continues"},
	{steps.ErrStillThere, exitFailed, "look at the token with the vendor's tools; then the same command continues"},
	{engine.ErrMode, exitRefused, "use the configuration with which this store was installed"},
	{steps.ErrStrangers, exitRefused,
		"name every field under catalogue in the configuration; one in JSON that is text in JSON cannot be named: have its " +
			"application write it as JSON"},
	{steps.ErrExclude, exitRefused, "use the name that the re-wrap printed, or run kekceremony abort"},
	{exposure.ErrFewer, exitAgain, "records changed while they were listed; run the same command again"},
	{steps.ErrCompromised, exitRefused, "rotate to another version: kekceremony status names it"},
	{steps.ErrNotInUse, exitRefused, "kekceremony status lists the versions"},
	{engine.ErrPlanMoved, exitRefused, "run the same command and approve the plan as it is now"},
	{steps.ErrVersion, exitRefused, "--to-version takes the next version, or an older one; kekceremony status lists them"},
	{config.ErrNoCredential, exitUsage, "start it as a unit with this credential, or set encryption.pin_file"},
	{config.ErrCurrentVersion, exitRefused,
		"unset the variable: only older releases of the application read it; or find out who moved the store's pointer; " +
			"this run changed nothing"},
	{steps.ErrNoSuchVersion, exitRefused, "kekceremony status lists the versions; nothing was changed"},
	{steps.ErrActive, exitRefused,
		"rotate to another version first: kekceremony rotate --to-version M; nothing was changed"},
	{steps.ErrNotRetired, exitRefused,
		"a rotation retires the version that it leaves; kekceremony status says which one is due; nothing was " +
			"changed"},
	{steps.ErrNeeded, exitRefused,
		"rotate again, which re-wraps them: kekceremony rotate --to-version M, to the active version; if the version " +
			"is disabled already, abort this ceremony and run kekceremony enable first"},
	{store.ErrNoFence, exitRefused,
		"have the server take it (docs/mongodb.md), and the same command continues; or kekceremony abort, then set " +
			"fleet.unfenced, and rotate to the same version: what was re-wrapped stays so"},
	{store.ErrFenceMixed, exitRefused,
		"take the part with $nor, and the comment \"kekceremony fence\", out of the collection's validator with collMod, " +
			"and leave the rest; then run the same command: it sets the fence again"},
	{steps.ErrFenceGone, exitRefused,
		"kekceremony rotate --to-version M, to the active version, sets the fence again; if this ceremony was begun, abort " +
			"it first; nothing was destroyed"},
	{steps.ErrAnyVersion, exitRefused,
		"kekceremony rotate --to-version M, to the active version, names them; write the version that wrapped each into " +
			"its record, as a whole number, and rotate again; or delete what is no envelope"},
	{steps.ErrDisabled, exitRefused, "to use it again: kekceremony enable --version N; nothing was changed"},
	{steps.ErrDestroying, exitRefused, "kekceremony destroy completes it; nothing was changed"},
	{steps.ErrKeyGone, exitRefused, "use another version: kekceremony status lists them; nothing was changed"},
	{steps.ErrWait, exitRefused,
		"raise policy.destroy_wait, or give the reason in the wizard (d), or as deviation.wait in the answers"},
	{steps.ErrUncounted, exitRefused,
		"put an agent beside them, and take the roles out of fleet.uncounted; or give the reason in the wizard (d), or as " +
			"deviation.uncounted in the answers"},
	{steps.ErrNotBound, exitRefused,
		"leave out --bind, or rotate to the next version, which is bound when it is made: kekceremony status; nothing was " +
			"changed"},
	{steps.ErrBoundRow, exitRefused,
		"find out who edited the row, and restore it: the log of the ceremony that made the version says which is true; " +
			"this run changed no key"},
	{steps.ErrUnchecked, exitRefused,
		"have the application open every payload of these places first; to continue, give the reason in the wizard (d), or " +
			"as deviation.unchecked in the answers"},
	{envelope.ErrKey, exitRefused,
		"name the field that identifies an element of the array: key, at this place in the catalogue of the configuration"},
	{steps.ErrSpent, exitRefused,
		"generate the next version, and rotate to it: kekceremony status names its command; " +
			"if this ceremony was begun, abort it first"},
	{steps.ErrFrom, exitRefused,
		"look at kekceremony status; --from-version takes the active version, and may be left out"},
	{steps.ErrNotReady, exitRefused,
		"every live process must prove that it holds the version: the line of one that lacks it ends with the cause; " +
			"start what is missing, give each its key, then run the same command"},
	{engine.ErrUnfinished, exitRefused, "finish it first, with its own command, or abort it: kekceremony abort"},
	{engine.ErrNoAbort, exitRefused, "run its own command to continue it"},
	{engine.ErrGivenUp, exitRefused, "run kekceremony abort, which finishes the archive, and then kekceremony install"},
	{steps.ErrChanged, exitRefused,
		"nothing of this install changed with it; to begin again with what is there now: kekceremony abort, then " +
			"kekceremony install; to continue, set the provider back, or of the roster give the reason in the wizard (d), or " +
			"as deviation.roster in the answers"},
	{engine.ErrLeftSince, exitRefused,
		"run the same command in the wizard: who signs decides whether it was followed; then rotate again"},
	{engine.ErrUndone, exitFailed, "look at the transcript, then run the same command"},
	{rewrap.ErrRestless, exitFailed, "find out what keeps writing them; then run the same command"},
	{rewrap.ErrUndecryptable, exitFailed,
		"all others are re-wrapped, nothing was retired; repair these and rerun the command, " +
			"or abort and rotate with --exclude"},
	{steps.ErrOtherToken, exitRefused,
		"insert the one that this ceremony was approved with; then the same command continues"},
	{provider.ErrGone, exitAgain, "reconnect the token, then run the same command"},
	{provider.ErrBusy, exitAgain, "wait, or set fewer encryption.pkcs11.sessions; the same command continues"},
	{provider.ErrPINLocked, exitRefused,
		"the token's security officer must reset the PIN; if the count is this program's own, remove its file"},
	{provider.ErrFinalTry, exitRefused,
		"run a ceremony, in which M operators approve the try; nothing was tried; " +
			"if the PIN is known to be right, remove the file that counts failed attempts"},
	{provider.ErrPINRefused, exitRefused,
		"try again, and type the right one; this program never tries a refused PIN again by itself"},
	{provider.ErrAmbiguous, exitRefused, "find out who made the other key"},
	{provider.ErrUnguarded, exitRefused,
		"give the module and every directory above it to root, and let nobody else write there"},
	{secret.ErrTraced, exitRefused, "end the debugger or tracer, then run the same command; this run changed nothing"},
	{keeper.ErrReadable, exitRefused,
		"have root own this program, with mode 0711, and set fs.suid_dumpable to 0; docs/threat-model.md says why"},
	{errNoDigest, exitUsage,
		"as root, in the program's directory: sha256sum kekceremony > kekceremony.sha256; chmod 0644 kekceremony.sha256"},
	{provider.ErrKeeper, exitAgain,
		"the module crashed or hung; nothing was lost; the same command starts it again"},
	{provider.ErrSplit, exitRefused,
		"find out which of them is wrong: an HSM of several members may not have all keys on each; to go on in one " +
			"process, set encryption.pkcs11.processes to 1; nothing of this batch was written"},
	{provider.ErrNoToken, exitUsage,
		"list the tokens with: pkcs11-tool --module MODULE -L; the module gets only the variables " +
			"that encryption.pkcs11.environment names, as they are set here (of a rehearsal: SOFTHSM2_CONF=DIR/softhsm2.conf)"},
	{provider.ErrTokens, exitUsage, "set encryption.pkcs11.token_serial"},
	{provider.ErrNoFile, exitUsage, "set encryption.env.secrets_file"},
	{rehearsal.ErrOtherDir, exitUsage, "--dir names a new directory, an empty one, or that of an earlier rehearsal"},
	{rehearsal.ErrNoSoftHSM, exitUsage, "apt-get install softhsm2, or rehearse --provider env"},
	{file.ErrMode, exitUsage, "chmod 0600 the file"},
	{file.ErrOwner, exitUsage, "run it as the owner of the file, or give the file to this user"},
	{quorum.ErrRoster, exitRefused, "correct the roster, then run the same command"},
	{quorum.ErrQuorum, exitRefused, "have the missing people sign"},
	{store.ErrDocumentDB, exitUsage,
		"in the URI: tls=true, tlsCAFile with Amazon's certificates (global-bundle.pem), replicaSet=rs0; it must be 5.0 or " +
			"later"},
	{store.ErrSilent, exitAgain, "start the store, then run the same command; a ceremony that was begun continues"},
	{store.ErrNotReady, exitAgain,
		"look at the server: an election, a member that is down, a limit on requests; then run the same command; a " +
			"ceremony that was begun continues"},
	{store.ErrOption, exitUsage, "docs/mongodb.md lists the options that a URI may have"},
	{store.ErrInsecure, exitRefused,
		"leave it out, and name the file with the authority's certificate: tlsCAFile; nothing was changed"},
	{store.ErrFile, exitUsage, "correct tlsCAFile, or tlsCertificateKeyFile, in the URI"},
	{store.ErrNoHost, exitUsage,
		"correct the name in the URI; behind mongodb+srv:// DNS must have the service _mongodb._tcp of it; or name the " +
			"hosts: mongodb://"},
	{store.ErrCertificate, exitUsage,
		"name the file with the authority's certificate: tlsCAFile; use the host's name as the certificate has it; if the " +
			"server wants one of this host: tlsCertificateKeyFile"},
	{store.ErrTLS, exitUsage,
		"have the server speak TLS 1.2 or 1.3; it may also refuse this host, as by an access list"},
	{store.ErrEnds, exitUsage,
		"if the server wants a certificate of this host, name the file: tlsCertificateKeyFile; else correct the port: it " +
			"may be no MongoDB"},
	{store.ErrNoTLS, exitUsage, "correct the port, or have the server use TLS; without it, leave tls out of the URI"},
	{store.ErrWantsTLS, exitUsage, "if it uses TLS, add tls=true to the URI; else correct the port: it may be no MongoDB"},
	{store.ErrLogin, exitUsage,
		"correct the user and the password in the URI, or authSource: the database that has the user"},
	{store.ErrMechanism, exitUsage, "set authMechanism in the URI to one that the server has, or leave it out"},
	{store.ErrNoToken, exitUsage,
		"run it on a host that the identity provider of authMechanismProperties knows, or log in another way: authMechanism"},
	{store.ErrReplicaSet, exitUsage, "correct replicaSet in the URI"},
	{store.ErrSecondary, exitUsage,
		"leave directConnection out of the URI, and name the replica set: replicaSet=NAME; nothing was changed"},
	{store.ErrCosmos, exitRefused, "docs/mongodb.md says which servers can be relied on; nothing was changed"},
	{store.ErrView, exitUsage, "name the collection that has the records in the catalogue of the configuration"},
	{store.ErrOpaque, exitRefused,
		"take the field out of the application's encryption, as an envelope is encrypted; or take the place out of the " +
			"catalogue; nothing was changed"},
	{store.ErrDenied, exitUsage, "give the store's user the role readWrite on this database"},
	{store.ErrNoDatabase, exitUsage,
		"correct the database's name, or have the application make it: its first collection, or its SQLite file"},
	{store.ErrServer, exitUsage, ""},
	{store.ErrName, exitUsage, ""},
	{fs.ErrExist, exitUsage, "name one that is not there yet"},
	{store.ErrExists, exitAgain, "another console was first; run the same command to continue"},
	{store.ErrLock, exitRefused,
		"use an empty store; keep this one and its bundles as evidence"},
	{store.ErrNotFound, exitRefused, "kekceremony status lists what is there"},
	{engine.ErrAnswer, exitUsage, "correct the file given with --answers"},
	{file.ErrLink, exitUsage, "put the file itself where the link is"},
	{file.ErrNotRegular, exitUsage, "name a regular file"},
	{fs.ErrNotExist, exitUsage, ""},
	{context.Canceled, exitAgain, ""},
}
