package vexatest

import (
	"strings"
	"time"
)

// exception is a recorded exchange that is not walked, or not in full, and why.
type exception struct {
	generation string
	exchange   string // how "section / name" begins
	reason     string
}

// leftOut are not walked at all.
var leftOut = []exception{
	{Generation012, "per-IP guard (600 per 60 s per IP)", "the guard by client address is not simulated"},
	{
		Generation012, "whose address does the per-IP guard count?",
		"the guard by client address is not simulated",
	},
}

// withoutBody are walked, but their bodies are not compared.
var withoutBody = []exception{
	{
		Generation012, "admin-api: process endpoints (direct, http://127.0.0.1:18057) / GET /openapi.json",
		"routes without schemas",
	},
	{
		Generation012, "gateway 18056 (real meeting-api behind): open endpoints / GET /openapi.json",
		"routes without schemas",
	},
	{
		Generation010, "admin-api: process endpoints (direct, http://127.0.0.1:28057) / GET /openapi.json",
		"routes without schemas",
	},
	{Generation010, "gateway: open endpoints / GET /openapi.json", "routes without schemas"},
	{
		Generation010, "gateway: what reaches the downstream, what comes back / downstream gzip",
		"another compressor, another length",
	},
}

// excepted returns the reason why an exchange is in a list, and notes that the entry is of use.
func (w *walk) excepted(list []exception, e exchange) (reason string, yes bool) {
	for _, x := range list {
		if x.generation == *w.s.generation.Load() && strings.HasPrefix(e.String(), x.exchange) {
			w.used[x] = true
			return x.reason, true
		}
	}
	return "", false
}

// before returns what has to happen before an exchange, or before a section (name empty).
func (w *walk) before(section, name string) func() {
	steps := w.steps012()
	if w.s.legacy() {
		steps = w.steps010()
	}
	for key, step := range steps {
		at, exchange, _ := strings.Cut(key, " / ")
		if strings.HasPrefix(section, at) && exchange == name {
			return step
		}
	}
	return nil
}

// user makes a user with the id that it had when the section was recorded.
func (w *walk) user(email, name string, id int64) int64 {
	w.s.db.mu.Lock()
	w.s.db.userSeq = id - 1
	w.s.db.mu.Unlock()
	return w.s.AddUser(email, name).ID
}

// key mints a key for a placeholder.
func (w *walk) key(placeholder string, user int64, lifetime time.Duration, scopes ...string) int64 {
	token := w.s.AddToken(user, "", lifetime, scopes...)
	w.keys[placeholder] = token.Secret
	return token.ID
}

func (w *walk) wait(d time.Duration) func() { return func() { w.clock.Advance(d) } }

func (w *walk) set(p Part, c Condition) func() { return func() { w.s.Set(p, c) } }

func (w *walk) revoke(placeholder string) {
	for _, token := range w.s.Tokens() {
		if token.Secret == w.keys[placeholder] {
			w.s.RevokeToken(token.ID)
		}
	}
}

func (w *walk) steps012() map[string]func() {
	return map[string]func(){
		"admin-api: user tier straight at admin-api / validate: expired": w.wait(1100 * time.Millisecond),
		"gateway 18056 (real meeting-api behind) / ": func() {
			u := w.user("gw-1795394214@example.com", "Gw", 21)
			w.key("{key22:bot}", u, 0, "bot", "tx")
			w.key("{key25:bot}", u, 0, "bot")
			w.key("{key24:tx}", u, 0, "tx")
			w.key("{key23:browser}", u, 0, "browser")
			w.key("all", u, 0, "bot", "tx", "browser")
			w.keys["bot,tx"], w.keys["bot"], w.keys["tx"], w.keys["browser"] =
				w.keys["{key22:bot}"], w.keys["{key25:bot}"], w.keys["{key24:tx}"], w.keys["{key23:browser}"]
		},
		"gateway: expiry and revocation / ": func() {
			w.key("{key26:bot}", 21, 2*time.Second, "bot", "tx")
			w.key("{key27:bot}", 21, 0, "bot", "tx")
			w.key("{revoked:bot}", 21, 0, "bot", "tx")
		},
		"gateway: expiry and revocation / same key, 2.2 s later": w.wait(2200 * time.Millisecond),
		"gateway: expiry and revocation / WebSocket whose key is revoked meanwhile: meanwhile": func() {
			w.revoke("{revoked:bot}")
		},
		"per-user bucket / ": func() {
			w.key("{key28:bot}", w.user("r1-1795394661@example.com", "", 24), 0, "bot", "tx")
			w.key("{key29:bot}", w.user("r2-1795394661@example.com", "", 25), 0, "bot", "tx")
			w.s.SetRateLimit(RateLimit{Burst: 120, PerSecond: 40})
		},
		"per-user bucket / first user 1 s later": w.wait(time.Second),
		"per-user 429 / ": func() {
			u := w.user("rr-1795394785@example.com", "", 26)
			w.key("{key30:bot}", u, 0, "bot", "tx")
			w.key("{key31:tx}", u, 0, "tx")
			w.s.SetRateLimit(RateLimit{Burst: 5, PerSecond: 1})
		},
		"per-user 429 / 1.1 s later": w.wait(1100 * time.Millisecond),
		"redirects made by Starlette / ": func() {
			w.s.SetRateLimit(RateLimit{})
			w.key("{key33:bot}", w.user("ex-1795395078@example.com", "", 148), 0, "bot", "tx")
		},
		"/ws live data / ": func() { w.key("{live:bot}", 21, 0, "bot", "tx") },
		"admin-api DOWN / ": func() {
			w.key("{key34:bot}", w.user("f-1795394490@example.com", "", 22), 0, "bot", "tx")
			w.s.Set(AdminAPI, Down)
		},
		"admin-api DOWN / after the restart of admin-api": w.set(AdminAPI, Up),
		"admin-api HUNG / ":                                             w.set(AdminAPI, Hung),
		"admin-api HUNG / after SIGCONT":                                w.set(AdminAPI, Up),
		"meeting-api DOWN / ":                                           w.set(MeetingAPI, Down),
		"meeting-api DOWN / /meetings with meeting-api hung":            w.set(MeetingAPI, Hung),
		"meeting-api DOWN / slow downstream 8 s (< 30 s) through 18066": w.set(MeetingAPI, Up),
		"agent-api / ": func() {
			w.s.Set(AgentAPI, Down)
			w.s.Set(MCP, Down)
		},
		"PostgreSQL DOWN / ": func() {
			w.s.Heal()
			w.s.Set(Database, Down)
		},
		"PostgreSQL DOWN / first admin call after PostgreSQL is back": func() {
			w.s.db.mu.Lock()
			w.s.db.userSeq = 22
			w.s.db.mu.Unlock()
			w.s.Set(Database, Up)
		},
		"Redis DOWN / ": w.set(Cache, Down),
		"Redis DOWN / gateway /auth/me, Redis back": w.set(Cache, Up),
	}
}

func (w *walk) steps010() map[string]func() {
	off := RateLimit{}
	asDeployed := RateLimit{PerMinute: 120, AdminPerMinute: 30}
	return map[string]func(){
		"VEXA_ENV=production / ": func() { w.s = w.start(Generation010, true) },
		"admin-api: process endpoints / ": func() {
			w.s = w.start(Generation010, false)
		},
		"admin-api: user tier straight at admin-api / validate: expired": w.wait(1100 * time.Millisecond),
		"gateway: open endpoints / ": func() {
			u := w.user("gw-1795394339@example.com", "Gw", 15)
			w.key("{key34:bot}", u, 0, "bot", "tx")
			w.key("{key35:bot}", u, 0, "bot")
			w.key("{key36:tx}", u, 0, "tx")
			w.key("{key37:browser}", u, 0, "browser")
			w.key("{key38:bot}", u, 0, "bot", "tx", "browser")
			w.keys["bot,tx"], w.keys["bot"], w.keys["tx"], w.keys["browser"] =
				w.keys["{key34:bot}"], w.keys["{key35:bot}"], w.keys["{key36:tx}"], w.keys["{key37:browser}"]
		},
		"gateway: expiry and revocation / ": func() {
			w.key("{key40:bot}", 15, 2*time.Second, "bot", "tx")
			w.key("{key41:bot}", 15, 2*time.Second, "bot", "tx")
			w.key("{key42:bot}", 15, 0, "bot", "tx")
			w.key("{key43:bot}", 15, 0, "bot", "tx")
		},
		"gateway: expiry and revocation / 2.2 s later, /meetings (cache)": w.wait(2200 * time.Millisecond),
		"gateway: expiry and revocation / straight after the revocation": func() {
			w.use("{key42:bot}")
			w.revoke("{key42:bot}")
		},
		"gateway: expiry and revocation / revoked, and the cache key deleted by hand": func() {
			w.use("{key43:bot}")
			w.revoke("{key43:bot}")
			w.s.ForgetValidations()
		},
		"rate limits / ": func() {
			w.key("{key44:bot}", w.user("rl-1795394792@example.com", "", 19), 0, "bot", "tx")
			w.s.SetRateLimit(asDeployed)
		},
		"downstream DOWN / ": func() {
			w.s.SetRateLimit(off)
			u := w.user("f-1795394490@example.com", "", 17)
			w.key("{key45:bot}", u, 0, "bot", "tx")
			w.key("{key46:bot}", u, 0, "bot", "tx")
			w.s.Set(MeetingAPI, Down)
			w.s.Set(AgentAPI, Down)
			w.s.Set(MCP, Down)
		},
		"admin-api DOWN / ":  func() { w.s.Heal(); w.s.Set(AdminAPI, Down) },
		"admin-api HUNG / ":  w.set(AdminAPI, Hung),
		"PostgreSQL DOWN / ": func() { w.s.Heal(); w.s.Set(Database, Down) },
		"PostgreSQL DOWN / first admin call after PostgreSQL is back": func() {
			w.s.db.mu.Lock()
			w.s.db.userSeq = 17
			w.s.db.mu.Unlock()
			w.s.Set(Database, Up)
		},
		"Redis DOWN / ": w.set(Cache, Down),
		"Redis DOWN / gateway /auth/me, Redis back": w.set(Cache, Up),
	}
}

// use makes a request with a key, or without one.
func (w *walk) use(placeholder string) {
	c := curl{method: "GET", port: "28056", target: "/auth/me"}
	if placeholder != "" {
		c.headers = []string{"X-API-Key: " + w.keys[placeholder]}
	}
	if _, err := w.send(c); err != nil {
		w.t.Error(err)
	}
}
