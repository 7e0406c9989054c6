package oidctest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Person is somebody whom a double can sign in. The zero value of every field is the ordinary case.
type Person struct {
	// ID is Okta's user id (00u…) or Entra's object id (a GUID). Derived from the email when empty: the same
	// for the same person over restarts, another one when an address is given to a new person.
	ID    string
	Email string

	// EmailUnverified makes Okta and Plain say email_verified: false. Entra never says it.
	EmailUnverified bool

	Name       string // default: from the email
	GivenName  string // default: the first word of Name
	FamilyName string // default: the rest of Name

	// Login is Okta's login and Entra's user principal name. Default: the email at the time the person was
	// added; it does not follow a later change of Email.
	Login string

	Groups []string // names; Entra speaks of them by GroupID
	Roles  []string // Entra app roles; the plain provider's roles claim

	Disabled   bool // deactivated: no sign-in, and what was issued is dead
	Suspended  bool // Okta: like Disabled until lifted
	Unassigned bool // not assigned to any client

	// MFARequired makes Okta's policy and Entra's conditional access ask for more than the double can give.
	MFARequired bool

	// Claims are added to ID tokens and userinfo last, over everything else; a nil value removes the claim.
	Claims map[string]any

	// Tenant is the Entra tenant in whose directory the person is. Default: the first tenant of the double.
	Tenant string

	// Guest marks an Entra B2B guest of Tenant; HomeTenant is where they come from (default TenantB), or
	// GuestIdP names another origin: live.com, google.com, mail.
	Guest      bool
	HomeTenant string
	GuestIdP   string

	// DomainVerified overrules what Entra says in xms_edov: any JSON value, for the encodings
	// seen in the wild (true, "1", "true", 1). Default: true when the tenant has verified the
	// email's domain, else no claim.
	DomainVerified any

	// generation counts revocations; what was issued under an earlier one is dead.
	generation int
	revokedAt  time.Time
}

func (p Person) clone() Person {
	p.Groups = slices.Clone(p.Groups)
	p.Roles = slices.Clone(p.Roles)
	p.Claims = maps.Clone(p.Claims)
	return p
}

func (p Person) is(who string) bool {
	return p.ID == who || strings.EqualFold(p.Login, who) || strings.EqualFold(p.Email, who)
}

// Directory is the people and clients that a double serves. Every method is safe while the double is running,
// and the next request sees the change.
type Directory struct {
	mu      sync.RWMutex
	now     func() time.Time
	newID   func(email string, nth int) string
	used    map[string]int // how many people an address has been given to
	people  []*Person
	clients map[string]*Client
}

func newDirectory(now func() time.Time, newID func(string, int) string) *Directory {
	return &Directory{now: now, newID: newID, used: map[string]int{}, clients: map[string]*Client{}}
}

// AddPerson adds a person and returns them with every default filled in. It does not check that the address
// is free: directories do hold two people who claim the same one, in different tenants.
func (d *Directory) AddPerson(p Person) Person {
	d.mu.Lock()
	defer d.mu.Unlock()
	p = p.clone()
	if p.ID == "" {
		p.ID = d.newID(p.Tenant+p.Email, d.used[p.Tenant+p.Email])
	}
	d.used[p.Tenant+p.Email]++
	if p.Login == "" {
		p.Login = p.Email
	}
	if p.Name == "" {
		p.Name = nameFromEmail(p.Email)
	}
	given, family, _ := strings.Cut(p.Name, " ")
	if p.GivenName == "" {
		p.GivenName = given
	}
	if p.FamilyName == "" {
		p.FamilyName = family
	}
	d.people = append(d.people, &p)
	return p.clone()
}

// nameFromEmail makes "Ada Byron" of ada.byron@acme.example.
func nameFromEmail(email string) string {
	local, _, _ := strings.Cut(email, "@")
	words := strings.FieldsFunc(local, func(r rune) bool { return !unicode.IsLetter(r) })
	for i, word := range words {
		runes := []rune(word)
		words[i] = string(unicode.ToUpper(runes[0])) + string(runes[1:])
	}
	return strings.Join(words, " ")
}

// Person finds a person by id, login or email, in this order; the first one added wins.
func (d *Directory) Person(who string) (Person, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if p := d.find(who); p != nil {
		return p.clone(), true
	}
	return Person{}, false
}

func (d *Directory) find(who string) *Person {
	for _, is := range []func(*Person) bool{
		func(p *Person) bool { return p.ID == who },
		func(p *Person) bool { return strings.EqualFold(p.Login, who) },
		func(p *Person) bool { return strings.EqualFold(p.Email, who) },
	} {
		if i := slices.IndexFunc(d.people, is); i >= 0 {
			return d.people[i]
		}
	}
	return nil
}

// People lists everybody, in the order they were added.
func (d *Directory) People() []Person {
	d.mu.RLock()
	defer d.mu.RUnlock()
	people := make([]Person, 0, len(d.people))
	for _, p := range d.people {
		people = append(people, p.clone())
	}
	return people
}

// ChangePerson changes a person, found by id, login or email; change must not call the directory again.
// Disabling somebody also kills what was issued to them, as both Okta and Entra do, and enabling them
// again does not bring it back.
func (d *Directory) ChangePerson(who string, change func(*Person)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.find(who)
	if p == nil {
		return fmt.Errorf("the directory has nobody called %q", who)
	}
	wasDisabled := p.Disabled
	change(p)
	if p.Disabled && !wasDisabled {
		d.revoke(p)
	}
	return nil
}

// Disable deactivates a person.
func (d *Directory) Disable(who string) error {
	return d.ChangePerson(who, func(p *Person) { p.Disabled = true })
}

// Enable activates a person again.
func (d *Directory) Enable(who string) error {
	return d.ChangePerson(who, func(p *Person) { p.Disabled = false })
}

// SetGroups replaces a person's groups.
func (d *Directory) SetGroups(who string, groups ...string) error {
	return d.ChangePerson(who, func(p *Person) { p.Groups = slices.Clone(groups) })
}

// Rename gives a person another email and login. Their id stays.
func (d *Directory) Rename(who, email string) error {
	return d.ChangePerson(who, func(p *Person) { p.Email, p.Login = email, email })
}

// RevokeTokens kills every token, refresh token and browser session of a person: Okta's "clear user
// sessions", Entra's revokeSignInSessions. They may sign in again at once.
func (d *Directory) RevokeTokens(who string) error {
	return d.ChangePerson(who, d.revoke)
}

func (d *Directory) revoke(p *Person) {
	p.generation++
	p.revokedAt = d.now()
}

// RemovePerson deletes a person. The same address added again is somebody new, with another id.
func (d *Directory) RemovePerson(who string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.find(who)
	if p == nil {
		return fmt.Errorf("the directory has nobody called %q", who)
	}
	d.people = slices.DeleteFunc(d.people, func(q *Person) bool { return q == p })
	return nil
}
