#!/usr/bin/env bash
# github.com/hashicorp/golang-lru/v2 v2.0.7: a value that another takes the place of never reaches the evict
# callback.
#
# Most expect: a cache that is made with an evict callback tells it of every value that leaves, so that an
# index kept by it (which sessions an account has in memory, say, to end them) knows what is there.
# Seen: Remove, Purge and the eviction of the oldest call it; Add over a key that is there drops the old
# value without a word, in lru.Cache and in simplelru alike. lru.Cache calls it after its lock is released,
# too, so what the callback keeps is for a moment not what the cache has. Who keeps an index holds one lock
# over both (simplelru), and looks before it adds.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.23

require github.com/hashicorp/golang-lru/v2 v2.0.7
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

type cache interface {
	Add(key, value string) (evicted bool)
	Remove(key string) (present bool)
	Purge()
}

func main() {
	var told []string
	tell := func(_, value string) { told = append(told, value) }
	safe, _ := lru.NewWithEvict(2, tell)
	simple, _ := simplelru.NewLRU(2, tell)
	for name, c := range map[string]cache{"lru.Cache": safe, "simplelru": simple} {
		for what, do := range map[string]func(){
			"replaced": func() { c.Add("a", "new") },
			"removed":  func() { c.Remove("a") },
			"oldest":   func() { c.Add("b", "b"); c.Add("c", "c") },
			"purged":   c.Purge,
		} {
			c.Purge()
			c.Add("a", "old")
			told = nil
			do()
			fmt.Println(name, what, told)
		}
	}
	// whether the callback may use the cache, which a lock that is still held would not let it
	var inside *lru.Cache[string, string]
	inside, _ = lru.NewWithEvict(1, func(_, _ string) { fmt.Println("lru.Cache: the callback finds", inside.Len()) })
	inside.Add("a", "old")
	inside.Add("b", "new")
}
GO
export GOFLAGS=-mod=mod GOWORK=off
go run . 2>build.log | sort | tee seen || { cat build.log; exit 1; }
for cache in lru.Cache simplelru; do
  grep -qF "$cache replaced []" seen
  for what in removed oldest purged; do grep -qF "$cache $what [old]" seen; done
done
grep -qF 'lru.Cache: the callback finds 1' seen
