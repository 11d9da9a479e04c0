package transcript

import "slices"

// Kinds of ceremonies.
const (
	KindInstall   = "install"
	KindAdopt     = "adopt"
	KindRotate    = "rotate"
	KindGenerate  = "generate"
	KindRoster    = "roster"
	KindReconcile = "reconcile"

	KindDisable    = "disable"
	KindEnable     = "enable"
	KindDestroy    = "destroy"
	KindCompromise = "compromise"
)

// Acts, by the names of their steps.
const (
	ActAdopt    = "adopt"
	ActGenerate = "generate"
	ActCanary   = "canary"
	ActLock     = "lock"
	ActSwitch   = "switch"
	ActRewrap   = "re-wrap"
	ActRetire   = "retire"
	ActChange   = "change"
	ActRebuild  = "rebuild"
	ActTakeOver = "take-over"

	ActFence      = "fence"
	ActDisable    = "disable"
	ActEnable     = "enable"
	ActDestroy    = "destroy"
	ActCompromise = "compromise"
)

// Steps by which an abort keeps a key whose destruction was begun.
const (
	StepKeep        = "keep"
	StepApproveKeep = "approve-keep"
)

// required are the acts that a ceremony of a kind must have done, in order. A rotation
// that makes its version does those of generate first; a reconciliation of a store that
// lacks versions rebuilds them first.
var required = map[string][]string{
	KindInstall:   {ActGenerate, ActCanary, ActLock},
	KindAdopt:     {ActAdopt, ActLock},
	KindGenerate:  {ActGenerate, ActCanary},
	KindRotate:    {ActSwitch, ActRewrap, ActRetire},
	KindRoster:    {ActChange},
	KindReconcile: {ActTakeOver},

	KindDisable:    {ActDisable},
	KindEnable:     {ActEnable},
	KindDestroy:    {ActDestroy},
	KindCompromise: {ActCompromise},
}

// fresh are the acts that nobody else may have done: one that is done was begun. Any other may
// be found done by a run that looks.
var fresh = []string{ActAdopt, ActGenerate, ActCanary, ActChange, ActRebuild, ActDestroy}

// Founds reports whether a ceremony of a kind is the first of its chain.
func Founds(kind string) bool { return kind == KindInstall || kind == KindAdopt }

// Required lists the acts that a ceremony must have done, by the facts of its first line. One that sets
// the fence does so directly before its last act.
func Required(opened Facts) []string {
	acts := requiredOf(opened)
	if opened.Fences() && len(acts) > 0 {
		return slices.Insert(slices.Clone(acts), len(acts)-1, ActFence)
	}
	return acts
}

func requiredOf(opened Facts) []string {
	kind := opened[FactKind]
	switch {
	case kind == KindRotate && opened[FactGenerate] == "yes":
		return slices.Concat(required[KindGenerate], required[KindRotate])
	case kind == KindReconcile && opened[FactRebuild] != "":
		return slices.Concat([]string{ActRebuild}, required[KindReconcile])
	}
	return required[kind]
}

// Lacks lists the acts that the ceremony must have done and has not.
func (s State) Lacks() []string {
	return slices.DeleteFunc(slices.Clone(Required(s.Opened())), s.Done)
}
