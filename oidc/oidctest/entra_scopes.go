package oidctest

import (
	"slices"
	"strings"
	"unicode"
)

// GraphAppID is the client id of Microsoft Graph, the audience of its tokens.
const GraphAppID = "00000003-0000-0000-c000-000000000000"

var entraOIDCScopes = []string{"openid", "profile", "email", "offline_access"}

// request for access: every scope that is not OpenID's belongs to one API.
type entraScopes struct {
	oidc     []string
	resource string   // the API's client id; GraphAppID where nothing else is named
	spelled  string   // the resource as the client wrote it: the audience of version 1 tokens
	names    []string // of the API's permissions, without the resource
}

func (s entraScopes) wants(oidcScope string) bool { return slices.Contains(s.oidc, oidcScope) }

// without the scopes that no response repeats.
func (s entraScopes) granted() string {
	granted := slices.DeleteFunc(slices.Clone(s.oidc), func(scope string) bool {
		return scope == "offline_access"
	})
	for _, name := range s.names {
		if s.resource != GraphAppID {
			name = s.spelled + "/" + name
		}
		granted = append(granted, name)
	}
	return strings.Join(granted, " ")
}

// parseScopes sorts scopes by what they are for. An unqualified name is a permission of Microsoft Graph, and
// fails unless it looks like one: this is where scope "groups" ends.
func (e *Entra) parseScopes(client Client, tenant string, scopes []string) (entraScopes, *aadError) {
	parsed := entraScopes{resource: GraphAppID, spelled: "https://graph.microsoft.com"}
	qualified := false
	for _, scope := range scopes {
		if slices.Contains(entraOIDCScopes, scope) {
			parsed.oidc = append(parsed.oidc, scope)
			continue
		}
		resource, name := splitScope(scope)
		if resource == "" && !isGraphPermission(name) {
			return parsed, aadUnknownScope(client.Name, scope)
		}
		id := e.resourceID(resource)
		if id == "" {
			return parsed, aadUnknownResource(resource, tenant)
		}
		if len(parsed.names) > 0 && id != parsed.resource {
			return parsed, aadInvalidScope(strings.Join(scopes, " "))
		}
		parsed.resource, qualified = id, true
		if resource != "" {
			parsed.spelled = resource
		}
		parsed.names = append(parsed.names, name)
	}
	if !qualified && len(parsed.oidc) == 0 {
		return parsed, aadMissingScope
	}
	return parsed, nil
}

func splitScope(scope string) (resource, name string) {
	i := strings.LastIndex(scope, "/")
	if i < 0 {
		return "", scope
	}
	return scope[:i], scope[i+1:]
}

// isGraphPermission knows User.Read from groups.
func isGraphPermission(name string) bool {
	return name == ".default" || strings.Contains(name, ".") && unicode.IsUpper(rune(name[0]))
}

// resourceID is the client id of the API that a scope names, empty for one that is not registered.
func (e *Entra) resourceID(resource string) string {
	resource = strings.TrimSuffix(resource, "/")
	switch resource {
	case "", GraphAppID, "https://graph.microsoft.com", e.GraphURL():
		return GraphAppID
	}
	id := strings.TrimPrefix(resource, "api://")
	if _, ok := e.Client(id); ok {
		return id
	}
	return ""
}
