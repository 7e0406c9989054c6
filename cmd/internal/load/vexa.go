package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// vexaServer is a Vexa 0.12, Admin API and gateway, that knows the first so many people by arithmetic: person
// i is user i+1 and has token i+1. What came later, and what was deleted, it keeps.
type vexaServer struct {
	people people
	known  int
	names  func(i int) string // of the token of person i
	listed atomic.Int64       // how often somebody's tokens were

	mu      sync.Mutex
	users   []vexaUser // those that were made, the first has number known+1
	byEmail map[string]int64
	bots    map[int64]int
	minted  map[int64][]vexaToken
	next    int64
	deleted map[int64]bool
}

type vexaUser struct {
	ID    int64  `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
	Bots  int    `json:"max_concurrent_bots"`
}

type vexaToken struct {
	ID     int64    `json:"id"`
	UserID int64    `json:"user_id"`
	Scopes []string `json:"scopes"`
	Name   string   `json:"name"`
	Secret string   `json:"token,omitempty"`
	Until  string   `json:"expires_at,omitempty"`
}

func newVexa(p people, known int, names func(int) string) *vexaServer {
	return &vexaServer{
		people: p, known: known, names: names, byEmail: map[string]int64{}, bots: map[int64]int{},
		minted: map[int64][]vexaToken{}, next: int64(known), deleted: map[int64]bool{},
	}
}

func (v *vexaServer) gateway(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/health" {
		writeJSON(w, map[string]any{"status": "ok", "service": "gateway"})
		return
	}
	fmt.Fprint(w, `{"meetings":[]}`)
}

func (v *vexaServer) admin(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/admin/"), "/")
	number := func(at int) int64 {
		n, _ := strconv.ParseInt(parts[min(at, len(parts)-1)], 10, 64)
		return n
	}
	switch {
	case parts[0] == "tokens" && r.Method == http.MethodDelete:
		if id := number(1); id > v.next || v.deleted[id] {
			refuse(w, http.StatusNotFound, "Token not found")
		} else {
			v.deleted[id] = true
			w.WriteHeader(http.StatusNoContent)
		}
	case parts[0] != "users":
		refuse(w, http.StatusNotFound, "Not Found")
	case len(parts) == 1 && r.Method == http.MethodPost:
		v.create(w, r)
	case len(parts) == 1:
		refuse(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	case parts[1] == "email":
		v.answer(w, v.idOf(parts[2]))
	case len(parts) == 3 && r.Method == http.MethodPost:
		v.mint(w, r, number(1))
	case len(parts) == 3:
		v.listed.Add(1)
		writeJSON(w, v.tokensOf(number(1)))
	default:
		if r.Method == http.MethodPatch {
			var change struct {
				Bots *int `json:"max_concurrent_bots"`
			}
			if json.NewDecoder(r.Body).Decode(&change) == nil && change.Bots != nil {
				v.bots[number(1)] = *change.Bots
			}
		}
		v.answer(w, number(1))
	}
}

func refuse(w http.ResponseWriter, status int, detail string) {
	w.WriteHeader(status)
	writeJSON(w, map[string]string{"detail": detail})
}

// idOf is the user with that address, 0 where there is none.
func (v *vexaServer) idOf(email string) int64 {
	if id, ok := v.byEmail[email]; ok {
		return id
	}
	_, number, _ := strings.Cut(strings.TrimSuffix(email, "@acme.example"), ".")
	i, err := strconv.Atoi(number)
	if err != nil || i >= v.known || v.people.person(i).email != email {
		return 0
	}
	return int64(i) + 1
}

func (v *vexaServer) user(id int64) (u vexaUser, ok bool) {
	switch {
	case id >= 1 && id <= int64(v.known):
		who := v.people.person(int(id) - 1)
		u = vexaUser{ID: id, Email: who.email, Name: who.name, Bots: 2}
	case id > int64(v.known) && id <= int64(v.known+len(v.users)):
		u = v.users[id-int64(v.known)-1]
	default:
		return u, false
	}
	if bots, changed := v.bots[id]; changed {
		u.Bots = bots
	}
	return u, true
}

func (v *vexaServer) answer(w http.ResponseWriter, id int64) {
	u, ok := v.user(id)
	if !ok {
		refuse(w, http.StatusNotFound, "User not found")
		return
	}
	writeJSON(w, u)
}

func (v *vexaServer) create(w http.ResponseWriter, r *http.Request) {
	u := vexaUser{Bots: 2}
	if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
		refuse(w, http.StatusUnprocessableEntity, "no JSON")
		return
	}
	if id := v.idOf(u.Email); id != 0 {
		v.answer(w, id)
		return
	}
	u.ID = int64(v.known + len(v.users) + 1)
	v.users = append(v.users, u)
	v.byEmail[u.Email] = u.ID
	w.WriteHeader(http.StatusCreated)
	writeJSON(w, u)
}

func (v *vexaServer) tokensOf(user int64) []vexaToken {
	all := []vexaToken{}
	if user >= 1 && user <= int64(v.known) && !v.deleted[user] {
		all = append(all, vexaToken{
			ID: user, UserID: user, Scopes: []string{"bot", "tx"}, Name: v.names(int(user) - 1),
		})
	}
	for _, t := range v.minted[user] {
		if !v.deleted[t.ID] {
			t.Secret = ""
			all = append(all, t)
		}
	}
	return all
}

func (v *vexaServer) mint(w http.ResponseWriter, r *http.Request, user int64) {
	asked := r.URL.Query()
	seconds, _ := strconv.Atoi(asked.Get("expires_in"))
	v.next++
	t := vexaToken{
		ID: v.next, UserID: user, Scopes: strings.Split(asked.Get("scopes"), ","), Name: asked.Get("name"),
		Secret: vexaKeyOf(v.next),
		Until:  time.Now().UTC().Add(time.Duration(seconds) * time.Second).Format("2006-01-02T15:04:05"),
	}
	v.minted[user] = append(v.minted[user], t)
	w.WriteHeader(http.StatusCreated)
	writeJSON(w, t)
}
