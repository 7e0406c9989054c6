package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
)

// rotating is an identity provider that gives a new refresh token for each old one. It waits with its answers
// until a test gives them, and takes down what may not be asked.
type rotating struct {
	questions chan *question

	mu     sync.Mutex
	number int
	whose  map[string]oidc.Identity // tokens, by who they were given for
	good   map[string]bool          // tokens that may be used
	spent  map[string]bool          // tokens whose successor was lost on the way: they may come again
	asking map[string]bool          // tokens with which somebody asks at this moment
	wrong  string
}

// question is one that waits for its answer.
type question struct {
	by             *sweeper
	token, subject string
	answer         chan answered
}

type answered struct {
	signIn *oidc.SignIn
	err    error
}

func newRotating() *rotating {
	return &rotating{
		questions: make(chan *question), whose: map[string]oidc.Identity{}, good: map[string]bool{},
		spent: map[string]bool{}, asking: map[string]bool{},
	}
}

// begins gives the first refresh token of a sign-in.
func (p *rotating) begins(id oidc.Identity) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next(id)
}

func (p *rotating) next(id oidc.Identity) string {
	p.number++
	token := fmt.Sprint("rt-", p.number)
	p.whose[token], p.good[token] = id, true
	return token
}

// ask takes a question down.
func (p *rotating) ask(by *sweeper, token string) *question {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.asking[token]:
		p.wrong = "asked twice at the same moment with " + token
	case !p.good[token] && !p.spent[token]:
		p.wrong = "asked with " + token + ", whose successor had arrived"
	}
	p.asking[token] = true
	return &question{by: by, token: token, subject: p.whose[token].Subject, answer: make(chan answered, 1)}
}

// answer answers a question, and returns the new token, if the one who asked gets one.
func (p *rotating) answer(q *question, said string) (token string) {
	token = p.decide(q, said)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case said == "strange":
		q.answer <- answered{err: strange()}
	case said == "lost":
		q.answer <- answered{err: errors.New("connection reset")}
	case token == "":
		q.answer <- answered{err: over()}
	default:
		q.answer <- answered{signIn: &oidc.SignIn{Identity: p.whose[token], RefreshToken: token}}
	}
	return token
}

// decide replaces the token that was asked with, unless the question was not heard.
func (p *rotating) decide(q *question, said string) (token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.asking, q.token)
	if !p.good[q.token] || said == "strange" {
		return ""
	}
	delete(p.good, q.token)
	token = p.next(p.whose[q.token])
	if said == "lost" {
		p.spent[q.token] = true
		return ""
	}
	return token
}

func (p *rotating) takes(token string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.good[token]
}

func (p *rotating) said() (wrong string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wrong
}

// askedBy is the provider as one replica sees it.
func (p *rotating) askedBy(by *sweeper) mapping.Directory { return &sight{p, by} }

type sight struct {
	provider *rotating
	by       *sweeper
}

func (s *sight) Refresh(_ context.Context, token string, _ oidc.Identity) (*oidc.SignIn, error) {
	q := s.provider.ask(s.by, token)
	s.provider.questions <- q
	said := <-q.answer
	return said.signIn, said.err
}
