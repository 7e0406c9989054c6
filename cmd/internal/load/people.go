package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
)

// People are a population by arithmetic: everything about number i follows from the seed and i, so that what
// fills the store, the provider and Vexa agree without asking each other.
type people struct {
	seed uint64
	org  string // of the Okta-shaped ones: the issuer less its authorization server
}

const (
	entraTenant = "7a1f3c52-9d0e-4b6f-8c21-5e4d90ab17f3"
	staffGroup  = "vexa-users"
	entraShare  = 4 // one in so many is Entra's
)

// person is one of them.
type person struct {
	number   int
	provider string
	sub      string
	email    string
	name     string
	groups   []string
}

var (
	givenNames = []string{
		"Ada", "Grace", "Tim", "Edsger", "Barbara", "Alan", "Radia", "Donald", "Frances", "Niklaus",
		"Hedy", "John", "Katherine", "Dennis", "Margaret", "Ken", "Sophie", "Vint", "Lynn", "Robin",
	}
	familyNames = []string{
		"Lovelace", "Hopper", "Berners-Lee", "Dijkstra", "Liskov", "Turing", "Perlman", "Knuth", "Allen",
		"Wirth", "Lamarr", "McCarthy", "Johnson", "Ritchie", "Hamilton", "Thompson", "Wilson", "Cerf",
		"Conway", "Milner", "Müller", "Nguyễn", "O'Neill", "García",
	}
)

// source is the randomness of one thing about one person.
func (p people) source(what string, i int) *rand.ChaCha8 {
	return rand.NewChaCha8(p.hash(what, i))
}

func (p people) hash(what string, i int) [32]byte {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.BigEndian, [2]uint64{p.seed, uint64(i)})
	b.WriteString(what)
	return sha256.Sum256(b.Bytes())
}

// id is 128 bits in the form of the store's own ids.
func (p people) id(what string, i int) string {
	sum := p.hash(what, i)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

func (p people) person(i int) person {
	r := rand.New(p.source("person", i))
	given, family := givenNames[r.IntN(len(givenNames))], familyNames[r.IntN(len(familyNames))]
	who := person{
		number: i, provider: "okta", name: given + " " + family,
		sub:   fmt.Sprintf("00u%017d", i),
		email: fmt.Sprintf("%s.%d@acme.example", strings.ToLower(given), i),
	}
	who.groups = append(who.groups, staffGroup)
	for range 5 + r.IntN(26) - 1 {
		who.groups = append(who.groups, fmt.Sprintf("team-%04d-%s", r.IntN(10_000), familyNames[r.IntN(10)]))
	}
	if i%entraShare == entraShare-1 {
		sum := p.hash("oid", i)
		who.provider = "entra"
		who.sub = fmt.Sprintf("%x-%x-4%03x-8%03x-%x", sum[:4], sum[4:6], sum[6], sum[7], sum[8:14])
		for g := range who.groups {
			group := sha256.Sum256([]byte(who.groups[g]))
			who.groups[g] = fmt.Sprintf("%x-%x-4%03x-8%03x-%x",
				group[:4], group[4:6], group[6], group[7], group[8:14])
		}
		who.groups[0] = entraStaff
	}
	return who
}

const entraStaff = "0b6f6e2a-9a0f-4d54-8f0e-1f2a3b4c5d6e"

// oktas is the first number from i on of somebody who comes by Okta: Entra's people are there to be stored.
func (p people) oktas(i int) int {
	for p.person(i).provider != "okta" {
		i++
	}
	return i
}

func (p people) account(i int) string { return p.id("account", i) }

func (p people) subject(who person) string {
	if who.provider == "entra" {
		return "entra:public/" + entraTenant + "/" + who.sub
	}
	return "okta:" + p.org + "/" + who.sub
}

// identity is what the store has of somebody who signed in.
func (p people) identity(who person) oidc.Identity {
	claims := map[string]any{
		"sub": who.sub, "name": who.name, "email": who.email, "preferred_username": who.email,
		"groups": who.groups, "iss": p.org + serverPath, "aud": clientID, "ver": 1,
	}
	if who.provider == "entra" {
		claims["ver"], claims["oid"], claims["tid"] = "2.0", who.sub, entraTenant
		claims["iss"] = "https://login.microsoftonline.com/" + entraTenant + "/v2.0"
	} else {
		claims["idp"], claims["amr"], claims["email_verified"] = "00o1load", []string{"pwd", "mfa"}, true
	}
	return oidc.Identity{
		Provider: who.provider, Subject: p.subject(who), Kind: oidc.User, Email: who.email,
		EmailTrusted: true, Name: who.name, Groups: who.groups, GroupsComplete: true, Claims: claims,
	}
}

// sessionID is what the browser of a session holds, less the seal.
func (p people) sessionID(i int) string {
	sum := p.hash("session", i)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// tokenValue is the secret string of somebody's personal token.
func (p people) tokenValue(i int) string {
	value, err := mapping.NewTokenValue(p.source("token", i), mapping.AccessValue)
	if err != nil {
		panic(err) // a ChaCha8 never fails
	}
	return value
}

// refreshToken is the provider's, of somebody's nth renewal.
func refreshToken(i, nth int) string { return fmt.Sprintf("rt.%d.%d", i, nth) }

// vexaKeyOf is the secret of a token at Vexa.
func vexaKeyOf(id int64) string { return fmt.Sprintf("vxa_load_%032d", id) }
