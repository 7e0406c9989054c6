package oidctest

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// ledgerSize bounds each kind of thing that a double remembers having issued; the least
// recently used goes first.
const ledgerSize = 20_000

// ledger is everything that a double has issued and may see again. mu makes a look-up and the change that
// follows from it one step: codes are used once, refresh tokens rotate once.
type ledger struct {
	mu       sync.Mutex
	pending  *lru.Cache[string, *authorization] // sign-in pages by their hidden id
	sessions *lru.Cache[string, *session]       // browser sessions by cookie
	codes    *lru.Cache[string, *issuedCode]
	refresh  *lru.Cache[string, *issuedRefresh]
	access   *lru.Cache[string, *issuedAccess]
	devices  *lru.Cache[string, *device] // by device code and by user code
}

func newLedger() *ledger {
	return &ledger{
		pending:  newCache[*authorization](),
		sessions: newCache[*session](),
		codes:    newCache[*issuedCode](),
		refresh:  newCache[*issuedRefresh](),
		access:   newCache[*issuedAccess](),
		devices:  newCache[*device](),
	}
}

func newCache[V any]() *lru.Cache[string, V] {
	cache, err := lru.New[string, V](ledgerSize)
	if err != nil {
		panic("oidctest: " + err.Error()) // only for a size below one
	}
	return cache
}

// grant is what a person let a client have by one sign-in, or a client has for itself: the root of a code,
// its tokens and all their refreshes. Its fields are fixed once it is made; ledger.mu guards revoked.
type grant struct {
	server     string // Okta: the authorization server, empty for the org's; Entra: the tenant
	client     string
	person     string // id; empty when a client acts for itself
	scopes     []string
	nonce      string
	authTime   time.Time
	sid        string
	issued     time.Time
	generation int // the person's, when the grant was made

	revoked bool
}

type issuedCode struct {
	*grant
	redirectURI     string
	challenge       string
	challengeMethod string
	expires         time.Time
	used            bool
}

type issuedRefresh struct {
	*grant
	lastUsed time.Time
	replaced time.Time // zero while it is the newest of a rotating family
}

type issuedAccess struct {
	*grant
	scopes  []string // may be fewer than the grant's
	claims  Claims
	expires time.Time
	revoked bool
}

// holds says whether what a grant gave is still good: nobody revoked it, the person or their tokens.
func (d *Double) holds(g *grant) bool {
	if g.revoked {
		return false
	}
	if g.person == "" {
		return true
	}
	p, ok := d.Person(g.person)
	return ok && p.ID == g.person && p.generation == g.generation && !p.Disabled && !p.Suspended
}
