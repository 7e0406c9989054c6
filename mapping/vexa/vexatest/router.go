package vexatest

import (
	"regexp"
	"strings"
)

// router matches as Starlette does: routes in order, on the decoded path, no cleaning of it. A path that only
// other methods have is a 405 that names the methods of the first route with that path; a path that exists
// with (or without) its last slash is redirected there.
type router struct{ routes []*route }

type route struct {
	method  string
	allow   string // the methods of its declaration
	pattern string
	re      *regexp.Regexp
	names   []string
	handle  func(*call) answer
}

var parameter = regexp.MustCompile(`\{(\w+)(:path)?\}`)

// add registers a route by method and pattern. A {name} matches one segment, a {name:path} anything.
func (r *router) add(name string, handle func(*call) answer) {
	method, pattern, _ := strings.Cut(name, " ")
	r.addAll([]string{method}, pattern, handle)
}

// addAll registers a pattern for several methods in one declaration, all of which a 405 then names. Starlette
// names them in an order that differs from process to process.
func (r *router) addAll(methods []string, pattern string, handle func(*call) answer) {
	for _, method := range methods {
		one := newRoute(method, pattern, handle)
		one.allow = strings.Join(methods, ", ")
		r.routes = append(r.routes, one)
	}
}

func newRoute(method, pattern string, handle func(*call) answer) *route {
	one := &route{method: method, pattern: pattern, handle: handle}
	expression := parameter.ReplaceAllStringFunc(pattern, func(p string) string {
		m := parameter.FindStringSubmatch(p)
		one.names = append(one.names, m[1])
		if m[2] != "" {
			return "(.*)"
		}
		return "([^/]+)"
	})
	one.re = regexp.MustCompile(`(?s)\A` + expression + `\z`)
	return one
}

// find returns the route for the request, its path parameters set, or the answer that there is none.
func (r *router) find(c *call) (*route, *answer) {
	var other *route
	for _, one := range r.routes {
		m := one.re.FindStringSubmatch(c.path)
		switch {
		case m == nil:
		case one.method == c.method:
			c.params = make(map[string]string)
			for i, name := range one.names {
				c.params[name] = m[i+1]
			}
			return one, nil
		case other == nil:
			other = one
		}
	}
	if other != nil {
		a := methodNotAllowed(other.allow)
		return nil, &a
	}
	if to, ok := r.otherSlash(c.path); ok {
		a := answer{status: 307, headers: []pair{{"Location", c.absolute(to)}}}
		return nil, &a
	}
	a := notFound
	return nil, &a
}

// otherSlash returns the path with its trailing slash toggled, if something is there.
func (r *router) otherSlash(path string) (string, bool) {
	if path == "/" {
		return "", false
	}
	toggled := path + "/"
	if strings.HasSuffix(path, "/") {
		toggled = strings.TrimRight(path, "/")
	}
	for _, one := range r.routes {
		if one.re.MatchString(toggled) {
			return toggled, true
		}
	}
	return "", false
}
