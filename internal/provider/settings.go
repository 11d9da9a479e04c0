package provider

// Settings open a provider of one kind. Its package implements them; the program names
// each kind once, to the keeper, and its configuration makes them.
type Settings interface {
	// Name is the kind's: in configuration, lock and envelopes.
	Name() string
	// Open opens the provider in this process.
	Open() (Provider, error)
	// Pin reports what is known of the provider before anything of it runs, as facts, and
	// returns settings that open just that or nothing.
	Pin() (Settings, map[string]string, error)
	// Facts are the names of all that the provider may report of itself and of a key. Its
	// process may run a module, which may report others.
	Facts() []string
	// Inherits reports whether the provider's process gets a variable of the environment
	// that the configuration does not name.
	Inherits(variable string) bool
	// OnToken reports that the keys are in a token, which nobody touches before people
	// are there. Else they are configuration, and a wrong one is found at once.
	OnToken() bool
}
