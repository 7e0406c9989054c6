// Package cache remembers what belongs to accounts and forgets it by account, in time that depends on what it
// has of that account and on nothing else (S5): [LRU] is bounded by memory, and has an index by account.
//
// What is read from the store while something is dropped may be true no more when it is remembered, and the
// owner of a credential is not known before it was read. [Drops] has the order of both: whoever reads notes
// the number of the last drop before, and asks after it whether the account that they found was dropped
// since. Drops of other accounts make nobody read again.
package cache
