package pkcs11

import "github.com/certautopilot/kekceremony/internal/provider/gcm"

// ivMode says who makes the IV. It is found by experiment, never configured:
// a wrong guess would give a constant IV while every round trip passes.
type ivMode string

const (
	// We pass 12 random bytes.
	ivHost ivMode = "host"
	// We pass 12 zeros, the token overwrites them (CloudHSM, ProtectServer).
	ivWritten ivMode = "written"
	// We pass 16 zeros, the token appends 16 bytes of its own to the answer (Luna in FIPS mode).
	ivAppended ivMode = "appended"
)

// size is the IV's, in bytes.
func (m ivMode) size() int {
	if m == ivAppended {
		return gcm.LongIVSize
	}
	return gcm.IVSize
}

// roomy is the one output buffer of every operation here, larger than any
// answer to 32 bytes, so that no size query is needed.
const roomy = 256
