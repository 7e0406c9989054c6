// Package keyring holds the one secret of an installation: the key ring, a JSON file that the command
// `vexa-sso keyring generate` makes. Everything that vexa-sso seals in its store or puts into a cookie is
// sealed with it.
//
// # The file
//
// The file is a keyset of Tink (https://developers.google.com/tink), so that tinkey and anything else that
// speaks Tink can read it. Each key in it is a 256-bit secret from which other keys are derived
// (HKDF-SHA256); none of them ever encrypts anything itself. One is the primary: it seals. The others are
// older ones: they still open what they sealed once.
//
// # Purposes
//
// A [Ring] derives, once, when it is loaded, an AES-256-GCM key for each [Purpose] from each secret. A value
// that was sealed for one purpose cannot be opened for another, because the keys differ; nor under other
// associated data, because the data is authenticated with the value. Callers bind a value to its place with
// it: the sealed secret of a Vexa key names its account and key id, so that swapping two rows of the database
// gains nothing. The cookie values of a [Ring.Codec] have keys of their own, too: no cookie passes for a
// record of the store of the same purpose.
//
// A sealed value begins with a byte that says that Tink made it and four that name the key; then come the
// nonce, the ciphertext and the tag. It is 33 bytes longer than what was sealed.
//
// # Rotation
//
// [Rotate] adds a new primary and keeps the older keys. Where several replicas share a store it takes two
// steps: [Add] adds a key that only opens, and when all replicas have loaded it, [Promote] has it seal. A
// replica without a key answers [ErrNotSealedByThisRing] to what it sealed, and the value stays as it is.
//
// # Losing it
//
// Without its ring the store's sealed values are noise: every Vexa key has to be minted anew, and everybody
// signs in again. The store therefore notes the [Ring.IDs] that sealed its data, and the program refuses to
// start with a ring that has none of them.
package keyring
