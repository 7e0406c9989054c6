package oidctest

// The emails of the demo cast.
const (
	Ada     = "ada@acme.example"      // staff
	Grace   = "grace@acme.example"    // staff and administrator
	Tim     = "tim@acme.example"      // may only look
	Mallory = "mallory@acme.example"  // a colleague whom no rule names
	Guest   = "guest@partner.example" // from another company
)

// The groups of the demo cast.
const (
	GroupUsers    = "vexa-users"
	GroupAdmins   = "vexa-admins"
	GroupViewers  = "vexa-viewers"
	GroupPartners = "partners"
	GroupChoir    = "choir"
)

// GroupIDs are the object ids by which Entra speaks of the demo cast's groups.
var GroupIDs = map[string]string{
	GroupUsers:    "0b6f6e2a-9a0f-4d54-8f0e-1f2a3b4c5d6e",
	GroupAdmins:   "5d7c1a90-2b3e-4c4d-9e8f-aabbccddeeff",
	GroupViewers:  "8c2e4f16-7d3b-4a58-b1c9-60718293a4b5",
	GroupPartners: "e19b2d34-5c6f-4788-99aa-0b1c2d3e4f50",
	GroupChoir:    "3f8a7b6c-1d2e-4f30-8495-a6b7c8d9e0f1",
}

// Cast is the demo's people, as Person values for either Okta or Entra: at Entra the guest is a B2B
// guest of the first tenant.
func Cast() []Person {
	return []Person{
		{Email: Ada, Name: "Ada Byron", Groups: []string{GroupUsers}},
		{Email: Grace, Name: "Grace Hopper", Groups: []string{GroupUsers, GroupAdmins}},
		{Email: Tim, Name: "Tim Lee", Groups: []string{GroupViewers}},
		{Email: Mallory, Name: "Mallory Quince", Groups: []string{GroupChoir}},
		{Email: Guest, Name: "Gil Guest", Groups: []string{GroupPartners}, Guest: true},
	}
}

// AddCast adds the demo cast.
func (d *Directory) AddCast() {
	for _, p := range Cast() {
		d.AddPerson(p)
	}
}

// Attacker is the administrator of another tenant who wrote the victim's address into their own directory
// entry (nOAuth). Entra signs them in, tells the truth about tid and oid, and passes the address on as email.
// They sign in by the login mallory@evil.example.
func Attacker(victim string) Person {
	return Person{Email: victim, Login: "mallory@evil.example", Name: "Mallory Evil", Tenant: TenantB}
}

// GroupID is the object id by which Entra speaks of a group: from GroupIDs, else derived from the name. A
// name that is a GUID already stands for itself.
func GroupID(name string) string {
	if id, ok := GroupIDs[name]; ok {
		return id
	}
	if isGUID(name) {
		return name
	}
	return derivedGUID("group " + name)
}
