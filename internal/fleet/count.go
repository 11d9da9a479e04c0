package fleet

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// block is how many wraps are reserved at once. What a process that ends did not use stays counted.
const block = 1024

// count reserves wraps before they are done. A version of which too many are counted is troubled, and
// wraps all the same: what the application has to write is not lost for it.
func (m *Member) count(ctx context.Context, v kek.Version) error {
	m.counting.Lock()
	defer m.counting.Unlock()
	if m.left[v] == 0 {
		total, err := m.Store.ReserveWraps(ctx, v, block)
		if err != nil {
			return err
		}
		m.left[v], m.counted[v] = block, total
	}
	m.left[v]--
	return nil
}

// spent says that too many wraps under a version are counted; empty: no, or this process wrapped none.
func (m *Member) spent(v kek.Version) string {
	m.counting.Lock()
	defer m.counting.Unlock()
	if !m.counted[v].Spent() {
		return ""
	}
	return fmt.Sprintf("version %d: %s are counted: rotate to the next version", v, m.counted[v])
}
