package config

import (
	"fmt"
	"time"
)

// Policy says when status reports that an end is due.
type Policy struct {
	MaxAge  time.Duration `yaml:"max_age"` // of the active version, since it was made; 0: no limit
	Warning time.Duration `yaml:"warning"` // before an end comes; default: 30 days
	// How long backups of the store are kept: a version stays disabled at least as long before it is
	// destroyed. 0: 30 days are enough.
	BackupRetention time.Duration `yaml:"backup_retention"`
	DestroyWait     time.Duration `yaml:"destroy_wait"` // instead of that; less is a deviation
}

func (p Policy) check() error {
	switch {
	case p.Warning < 0:
		return fmt.Errorf("policy.warning: %s: want 0 or more", p.Warning)
	case p.MaxAge < 0:
		return fmt.Errorf("policy.max_age: %s: want 0, which is no limit, or more", p.MaxAge)
	case p.BackupRetention < 0:
		return fmt.Errorf("policy.backup_retention: %s: want 0 or more", p.BackupRetention)
	case p.DestroyWait < 0:
		return fmt.Errorf("policy.destroy_wait: %s: want 0, which is the rule, or more", p.DestroyWait)
	case p.MaxAge > 0 && p.MaxAge <= p.Warning:
		return fmt.Errorf("policy.max_age: %s: want more than policy.warning, %s", p.MaxAge, p.Warning)
	}
	return nil
}
