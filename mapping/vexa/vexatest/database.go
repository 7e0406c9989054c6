package vexatest

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// User is a Vexa user as the database has it.
type User struct {
	ID                int64
	Email             string
	Name              string // empty for none
	ImageURL          string // 0.10
	MaxConcurrentBots int64
	CreatedAt         time.Time
}

// Token is a live Vexa API token. An expired one is live until it is deleted.
type Token struct {
	ID        int64
	UserID    int64
	Name      string // empty for none
	Scopes    []string
	Secret    string
	CreatedAt time.Time
	ExpiresAt time.Time // zero for never
}

// database is what PostgreSQL holds for all services.
type database struct {
	mu     sync.Mutex
	legacy atomic.Bool
	tables
}

type tables struct {
	// in the order of the heap: an update moves a row to the end, and 0.10 lists users unordered
	users      []*userRow
	tokens     map[int64]*tokenRow
	meetings   []*meeting
	recordings []*recording
	calendars  []*calendar
	routines   []*routine
	userSeq    int64 // sequences: a failed insert uses one up
	tokenSeq   int64
	meetingSeq int64
}

type userRow struct {
	id        int64
	email     string
	name      *string
	imageURL  *string
	bots      int64
	data      jsonb
	secret    string // webhook_secret, which no answer about the user shows
	createdAt time.Time
	settings  settings
}

type tokenRow struct {
	id        int64
	userID    int64
	name      *string
	scopes    []string
	secret    string
	createdAt time.Time
	expiresAt *time.Time
}

func newDatabase() *database { return &database{tables: emptyTables()} }

func emptyTables() tables { return tables{tokens: make(map[int64]*tokenRow)} }

func (d *database) user(id int64) *userRow {
	for _, u := range d.users {
		if u.id == id {
			return u
		}
	}
	return nil
}

func (d *database) userByEmail(email string) *userRow {
	for _, u := range d.users {
		if u.email == email {
			return u
		}
	}
	return nil
}

// touched moves an updated row to where PostgreSQL puts its new version.
func (d *database) touched(u *userRow) {
	i := slices.Index(d.users, u)
	d.users = append(slices.Delete(d.users, i, i+1), u)
}

func (d *database) tokenBySecret(secret string) *tokenRow {
	for _, t := range d.tokens {
		if t.secret == secret {
			return t
		}
	}
	return nil
}

// tokensOf returns a user's tokens by id.
func (d *database) tokensOf(userID int64) []*tokenRow {
	var all []*tokenRow
	for _, t := range d.tokens {
		if t.userID == userID {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *tokenRow) int { return cmp.Compare(a.id, b.id) })
	return all
}

func (t *tokenRow) expired(now time.Time) bool {
	return t.expiresAt != nil && !now.Before(*t.expiresAt)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (u *userRow) public() User {
	return User{
		ID: u.id, Email: u.email, Name: deref(u.name), ImageURL: deref(u.imageURL),
		MaxConcurrentBots: u.bots, CreatedAt: u.createdAt,
	}
}

func (t *tokenRow) public() Token {
	token := Token{
		ID: t.id, UserID: t.userID, Name: deref(t.name), Scopes: slices.Clone(t.scopes), Secret: t.secret,
		CreatedAt: t.createdAt,
	}
	if t.expiresAt != nil {
		token.ExpiresAt = *t.expiresAt
	}
	return token
}

// Users returns all users by id.
func (s *Server) Users() []User {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	var all []User
	for _, u := range s.db.users {
		all = append(all, u.public())
	}
	slices.SortFunc(all, func(a, b User) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// User returns the user with exactly that email.
func (s *Server) User(email string) (User, bool) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if u := s.db.userByEmail(email); u != nil {
		return u.public(), true
	}
	return User{}, false
}

// Tokens returns all live tokens by id; of one user if an id is given.
func (s *Server) Tokens(userID ...int64) []Token {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	var all []Token
	for _, t := range s.db.tokens {
		if len(userID) == 0 || slices.Contains(userID, t.userID) {
			all = append(all, t.public())
		}
	}
	slices.SortFunc(all, func(a, b Token) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// AddUser makes a user as if somebody else had, or returns the one that has that email.
func (s *Server) AddUser(email, name string) User {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if u := s.db.userByEmail(email); u != nil {
		return u.public()
	}
	u := &userRow{email: email, bots: s.db.defaultBots()}
	if name != "" {
		u.name = &name
	}
	s.db.insertUser(u, s.now())
	return u.public()
}

// AddToken mints a token for a user as if somebody else had. A lifetime of 0 is for ever, no scope is "bot".
func (s *Server) AddToken(userID int64, name string, lifetime time.Duration, scopes ...string) Token {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if len(scopes) == 0 {
		scopes = []string{"bot"}
	}
	t := &tokenRow{userID: userID, scopes: slices.Clone(scopes)}
	if name != "" {
		t.name = &name
	}
	now := s.now()
	if lifetime > 0 {
		until := now.Add(lifetime)
		t.expiresAt = &until
	}
	s.insertToken(t, now)
	return t.public()
}

// Webhook returns the address that events of a user are sent to, or "".
func (s *Server) Webhook(userID int64) (address string) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if u := s.db.user(userID); u != nil {
		_ = json.Unmarshal(u.data["webhook_url"], &address)
	}
	return address
}

// SetUserEmail gives a user another email, as a change in the database by hand does.
func (s *Server) SetUserEmail(userID int64, email string) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if u := s.db.user(userID); u != nil {
		u.email = email
	}
}

// RevokeToken deletes a token behind the back of whoever minted it, and says whether there was one.
func (s *Server) RevokeToken(id int64) bool {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	_, ok := s.db.tokens[id]
	delete(s.db.tokens, id)
	return ok
}

// Reinstall empties the database: ids start again at 1. The gateway's cache and open
// sockets stay, as they would.
func (s *Server) Reinstall() {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.tables = emptyTables()
}

func (d *database) defaultBots() int64 {
	if d.legacy.Load() {
		return 1
	}
	return 3
}

func (d *database) insertUser(u *userRow, now time.Time) {
	d.userSeq++
	u.id, u.createdAt = d.userSeq, now
	if u.data == nil {
		u.data = jsonb{}
	}
	d.users = append(d.users, u)
}

func (s *Server) insertToken(t *tokenRow, now time.Time) {
	s.db.tokenSeq++
	t.id, t.createdAt = s.db.tokenSeq, now
	length := 32
	if s.db.legacy.Load() {
		length = 40
	}
	t.secret = "vxa_" + t.scopes[0] + "_" + s.random.text(length)
	s.db.tokens[t.id] = t
}

// withData returns the user's data with the given keys set.
func (u *userRow) withData(set map[string]json.RawMessage) jsonb {
	data := maps.Clone(u.data)
	maps.Copy(data, set)
	return data
}
