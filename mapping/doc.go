// Package mapping keeps what follows from who somebody is: their account, their Vexa user, the Vexa keys with
// which they work, the tokens by which programs act for them, and the end of all that. What an identity may
// do is decided in package rule. Package mapping knows nothing of HTTP requests; it alone knows of Vexa's
// users and tokens.
//
// [Accounts] is the entrance. Behind it are four parts, each with its own fields: users, keys, grants and
// tokens (accounts.go).
//
// # Accounts and users
//
// An [Account] is the lasting bond between one identity, by its canonical subject, and one Vexa user.
// [Accounts.SignIn] makes it and binds it (signin.go, bind.go). A Vexa user that we make is ours to give; one
// that was there before goes only to a proven email in a trusted domain, and to one identity. Everything else
// is pending until an admin decides ([Accounts.Approve], [Accounts.Pin]). Before a user is created the intent
// is written down, so that after a crash we still know whose it is. Suspending the account blocks the bots of
// its Vexa user ([BotBlock]).
//
// # Keys
//
// [Accounts.Key] is on the road of every request. Open keys are in memory, sealed ones in the store; only
// when there is none is one minted (mint.go), by one replica at a time:
//
//	lease ─► is the Vexa user who it was? ─► intent ─► Vexa mints "vsso:<instance>:<account>:<key id>" ─► sealed, active
//
// A crash on the way leaves an intent, and perhaps a token of that name, whose secret nobody has: the next
// mint of that key and [Accounts.Reconcile] delete both. Keys are renewed in the last third of their life
// (key_renew.go); the one that was replaced goes on working for Config.KeyGrace in the hands that have it.
// When the gateway calls one invalid, [Accounts.KeyGone] asks the Admin API before it believes it.
//
// # Refresh grants
//
// A sign-in proves an identity once; what it proved grows old. The account therefore keeps the newest
// refresh token, sealed: its [RefreshGrant]. While a session or a token of the account lives, the provider
// is asked again in the background, before Config.Renew is over, and what it says is written like a
// sign-in (refresh.go). Replicas share what is due: one claims a few grants at a time and asks about them
// at once, the others pass them over, and whoever dies leaves them to others in a minute
// (refresh_sweep.go). A refresh token may be good for one use only: its successor is stored with what the
// provider said, or alone where that fails. What a refusal ends is its oidc.Outcome; an answer that says
// less than the sign-in takes nothing away for Config.MaxOffline.
//
// # Tokens
//
// A person lets a program act in their stead by a [Token]: a personal one ([Accounts.CreateToken]), or one
// that they grant to a tool ([Accounts.GrantTool]), which exchanges its values ([Accounts.RefreshTool]).
// Neither store nor memory has a value, only its SHA-256. What a token may is decided anew each time: its
// scopes within its owner's grant of now. One that ended is known as such for thirty days (token_ended.go). A
// provider's own access token stands for an account too
// ([Accounts.Present]).
//
// # Revocation
//
// [Accounts.Revoke] is what everything that ends access goes through. One transaction deletes sessions and
// tokens, marks keys, and appends the [Revocation] to a log; where only a grant at the provider is over,
// tokens stay, and pause until its person is back. Every replica tails that log (mapping/store) and calls
// [Accounts.Apply] with each entry. Deleting the keys at Vexa comes after (outbox.go), is tried until Vexa
// has confirmed it, and touches only tokens that bear our names: ids start again at 1 when a Vexa is set up
// anew.
//
// # Goroutines and caches
//
// [Accounts.Run] owns five loops: the outbox (deletions, bot blocks, stale seals), renewal of keys, refresh
// grants, expired tokens, and reconciling. A mint goes on when its callers have given up; Run waits for it
// (keys.inFlight). No other goroutine outlives its call.
//
// The keys part caches open keys, dropped by Apply, by expiry and by the LRU's bound, Config.MaxKeys; and the
// ids of keys under an older seal. The grants part remembers which providers asked to be left alone. Nothing
// else is cached here.
package mapping
