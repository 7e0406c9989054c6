// Package address is the one form of email addresses and of their domains: every address and every domain
// that is compared, stored or sent anywhere by this program went through Email or Domain, and nothing else
// knows how. Two spellings of one address are then equal as texts, and two people's never are:
//
//   - What is in its one form stays as it is.
//   - Capitals make no difference.
//   - Two domains that can be registered, each by somebody else, never become one. IDNA's mappings for
//     looking names up (UTS #46) do not hold that: they read a capital sharp s as ss, a long s as s. So a
//     domain is brought into lower case first, and then has to be valid as it stands.
//   - What different programs could read differently is no address at all.
//
// It imports nothing of ours, so that everything may import it.
package address
