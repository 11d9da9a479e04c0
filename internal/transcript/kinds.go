package transcript

import "slices"

// Kinds of ceremonies.
const (
	KindInstall  = "install"
	KindRotate   = "rotate"
	KindGenerate = "generate"
	KindRoster   = "roster"
)

// Acts, by the names of their steps.
const (
	ActGenerate = "generate"
	ActCanary   = "canary"
	ActLock     = "lock"
	ActSwitch   = "switch"
	ActRewrap   = "re-wrap"
	ActRetire   = "retire"
	ActChange   = "change"
)

// required are the acts that a ceremony of a kind must have done, in order. A rotation
// that makes its version does those of generate first.
var required = map[string][]string{
	KindInstall:  {ActGenerate, ActCanary, ActLock},
	KindGenerate: {ActGenerate, ActCanary},
	KindRotate:   {ActSwitch, ActRewrap, ActRetire},
	KindRoster:   {ActChange},
}

// fresh are the acts that nobody else may have done: one that is done was begun. Any other may
// be found done by a run that looks.
var fresh = []string{ActGenerate, ActCanary, ActChange}

// Required lists the acts that a ceremony must have done, by the facts of its first line.
func Required(opened Facts) []string {
	kind := opened[FactKind]
	if kind == KindRotate && opened[FactGenerate] == "yes" {
		return slices.Concat(required[KindGenerate], required[KindRotate])
	}
	return required[kind]
}

// Lacks lists the acts that the ceremony must have done and has not.
func (s State) Lacks() []string {
	return slices.DeleteFunc(slices.Clone(Required(s.Opened())), s.Done)
}
