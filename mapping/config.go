package mapping

import (
	"fmt"
	"regexp"
	"time"

	"vexa-sso/oidc"
)

// Values of Config.AdoptExisting.
const (
	// an existing Vexa user goes to whom a proven email in a trusted domain says that it belongs
	AdoptTrusted = "trusted"
	AdoptNever   = "never" // an admin decides about each
)

// Config says how accounts are bound and their keys kept.
type Config struct {
	// Instance names our keys at Vexa, so that several bridges can share one Vexa: 1 to 32 letters, digits,
	// dots, dashes and underscores, of which the first is a letter or digit.
	Instance string `yaml:"instance"`

	// AdoptExisting says who may have a Vexa user that we did not make: trusted (default) or never.
	AdoptExisting string `yaml:"adopt_existing"`

	// Suspend is what every suspension does beyond the rest.
	Suspend SuspendConfig `yaml:"-"`

	// KeyGrace is how long a key goes on working at Vexa that another has replaced, for requests and replicas
	// that have it in hand: at least a minute, as replicas look that often whether theirs is to be renewed.
	// Default DefaultKeyGrace.
	KeyGrace time.Duration `yaml:"key_grace"`

	MaxKeys int `yaml:"-"` // opened keys kept in memory, under a KiB each; default 200,000
	// how long a key that we do not know may live at Vexa; default 15 minutes
	ReconcileEvery time.Duration `yaml:"-"`

	// Renew is the time after which a provider is asked again about somebody who uses Vexa, in the
	// background, by their refresh token; default 15 minutes. Idle is how long a session that nobody uses
	// lives; default 8 hours.
	Renew time.Duration `yaml:"-"`
	Idle  time.Duration `yaml:"-"`

	// MaxTokenLifetime is how long a token that we issue may live; default 90 days. MaxOffline is how long a
	// person's access tokens are read together with their account after the provider last vouched for them
	// ([Accounts.Present]); default 24 hours.
	MaxTokenLifetime time.Duration `yaml:"-"`
	MaxOffline       time.Duration `yaml:"-"`

	KeepEvents time.Duration `yaml:"-"` // how long audit events are kept; default 90 days
}

// DefaultKeyGrace is Config.KeyGrace where nobody says otherwise.
const DefaultKeyGrace = 2 * time.Minute

// maxInstance keeps the names of our keys, vsso:<instance>:<account>:<key id>, to 100 characters, of which
// all but the instance are 59. A Vexa fails at a name of more than 255.
const maxInstance = 32

// instanceName is what an instance may be called: a colon would end it in the name of a key.
var instanceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Problems returns what is wrong with the settings.
func (c Config) Problems() []oidc.Problem {
	var p problems
	switch {
	case c.Instance == "":
		p.refuse("instance", "name this installation: its keys at Vexa carry the name, and two installations "+
			"must differ", "is missing")
	case len(c.Instance) > maxInstance || !instanceName.MatchString(c.Instance):
		p.refuse("instance", fmt.Sprintf("write up to %d letters, digits, dots, dashes and underscores, of "+
			"which the first is a letter or digit", maxInstance), "%q cannot be part of a key's name",
			c.Instance)
	}
	switch c.AdoptExisting {
	case "", AdoptTrusted, AdoptNever:
	default:
		p.refuse("adopt_existing", "write trusted or never", "%q is unknown", c.AdoptExisting)
	}
	if c.KeyGrace != 0 && (c.KeyGrace < renewEvery || c.KeyGrace > time.Hour) {
		p.refuse("key_grace", "write something from 1m to 1h, like 2m", "%s is too short or too long",
			c.KeyGrace)
	}
	return p
}

// problems collects what is wrong with the settings.
type problems []oidc.Problem

func (p *problems) refuse(key, remedy, format string, args ...any) {
	*p = append(*p, oidc.Problem{Key: key, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}
