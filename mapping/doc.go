// Package mapping turns who somebody is into what they may do at Vexa, and keeps the Vexa keys with which they do it. It knows
// nothing of HTTP requests, and is the only place that knows of Vexa's users and tokens.
//
// What an identity may do is decided in package rule; here is what follows from it.
//
// # From an identity to an account
//
// An [Account] is the lasting bond between one identity, by its canonical subject, and one Vexa user. [Accounts.SignIn] makes it
// and binds it (bind.go). A Vexa user that we make is ours to give; one that was there before goes only to a proven email in a
// trusted domain, and to one identity. Everything else waits as pending for an admin ([Accounts.Approve]). Before a user is
// created the intent is written down, so that after a crash we still know whose it is.
//
// # While somebody is here
//
// A sign-in proves an identity once; what it proved grows old. The account therefore keeps the newest refresh token, sealed: its
// [RefreshGrant] (refresh_grant.go). While a session lives, [Accounts.RenewProofs] uses it before Config.Renew is over and writes what the provider
// says now, like a sign-in would (refresh.go). A refresh token may be good for one use only, so one replica at a time uses
// it, under a lease, and the token that takes its place is stored before anything else happens. What a provider says of a token
// that is not the newest any more is not listened to: nobody is signed out by a lost race.
//
// # From an account to a key
//
// [Accounts.Key] is on the road of every request. Open keys are in memory (keycache.go), sealed ones in the store; only when there
// is none is one minted (mint.go), by one replica at a time. A mint leaves its trail before it calls Vexa:
//
//	lease ─► is the Vexa user who it was? ─► intent ─► Vexa mints "vsso:<instance>:<account>:<key id>" ─► sealed, active
//
// A crash on the way leaves an intent, and perhaps a token of that name, whose secret nobody has. The next mint of that key and
// [Accounts.Reconcile] delete both. An uncertain answer is treated as a crash; a certain refusal takes the intent back.
//
// Keys are renewed in the last third of their life ([Accounts.Renew]) and outlive their replacement by a few minutes. When the
// gateway calls a key invalid, [Accounts.KeyGone] asks the Admin API before it believes it.
//
// # And back
//
// [Accounts.Revoke] is what everything that ends access goes through. It writes the decision down: sessions deleted, keys marked,
// the [Revocation] appended to a log that every replica tails ([Accounts.Apply]). Deleting the keys at Vexa comes after
// (outbox.go), is tried until Vexa has confirmed it, and touches only tokens that bear our names: ids start again at 1 when a
// Vexa is set up anew.
//
// # What admins decide
//
// [Accounts.Pin] names the Vexa user of an identity and beats rules and emails (pin.go). [Accounts.Suspend] refuses an account
// everywhere and blocks the bots of its Vexa user (bot_block.go) until [Accounts.Resume]. [Accounts.Rekey] moves subjects when an org moves.
// [Explain] and [CompareRules] say why, and what would be.
//
// # What programs show
//
// A person lets a program act in their stead by a [Token]: one that they make ([Accounts.CreateToken]), or one that they grant to
// a tool, which renews its values by itself ([Accounts.GrantTool], [Accounts.RefreshTool]). Neither store nor memory has a value,
// only its SHA-256. A token ends with whatever ends its owner's access, in the same transaction. What it may is decided anew each
// time: its scopes within the grant of now. It has keys of just that set, which are revoked when nobody needs them any more
// (needed.go). As long as one lives, the provider is asked about its owner, whether or not a browser is left; how old the
// provider's word may be is for whoever lets a program in to see, by Account.ProvenAt.
//
// A provider's own access token stands for an account too ([Accounts.Present]): a program's is all that there is of the program;
// a person's is read together with what the provider last said of them, and never gives more by saying less.
//
// # Behind the requests
//
// [Accounts.Run] does what goes on behind them. What is stored, and what a transaction is, says [Store]; mapping/store
// implements it. mapping/vexa speaks to Vexa, mapping/keyring seals.
package mapping
