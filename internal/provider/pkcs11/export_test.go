package pkcs11

// CloseAll takes every session from the provider, and with them the login, as a token
// does that was reset.
func (p *Provider) CloseAll() error { return p.ctx.CloseAllSessions(p.slot) }

// CheckLayout is what Open asks of the bindings' Ctx.
var CheckLayout = checkLayout
