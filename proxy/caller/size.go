package caller

import (
	"unsafe"

	"vexa-sso/oidc"
)

// What a cached caller takes, about: 6.5 KiB for an identity with twenty claims and one group, half of it the
// claims. A test compares it with the heap.
const (
	viewSize   = 768 // of what the rules said, and of the limiter
	stringSize = 24  // a string besides its text, which an allocation rounds up
	slotSize   = 24  // a place in a list, with the room that a list leaves
	claimSize  = 64  // an entry of a map of claims, with the room that such a map leaves
)

// size returns about how many bytes a caller takes, themselves and all that they alone refer to.
func (c *Caller) size() int {
	n := int(unsafe.Sizeof(*c)) + viewSize + len(c.Session.SealedIDToken) + sizeOf(&c.Account.Identity)
	if c.Account.Within != nil {
		n += int(unsafe.Sizeof(*c.Account.Within)) + sizeOf(c.Account.Within)
	}
	if c.Credential == ByBearer {
		n += sizeOf(&c.Access.Identity)
	}
	return n
}

// sizeOf returns what an identity refers to.
func sizeOf(id *oidc.Identity) int {
	n := len(id.Subject) + len(id.Email) + len(id.UnprovenEmail) + len(id.Name) + len(id.GroupsProblem) +
		len(id.SID) + sizeOfClaim(map[string]any(id.Claims)) + claimSize*len(id.Kept)
	for _, list := range [][]string{id.Groups, id.Roles, id.ByUserinfo, id.Unsaid} {
		for _, s := range list {
			n += slotSize + stringSize - int(unsafe.Sizeof(s)) + len(s)
		}
	}
	return n
}

func sizeOfClaim(v any) (n int) {
	switch v := v.(type) {
	case string:
		return stringSize + len(v)
	case []any:
		for _, each := range v {
			n += slotSize + sizeOfClaim(each)
		}
	case map[string]any:
		for name, each := range v {
			n += claimSize + len(name) + sizeOfClaim(each)
		}
	default:
		return stringSize // a number as it is written, a truth
	}
	return n
}
