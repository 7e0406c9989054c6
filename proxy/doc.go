// Package proxy is the HTTP edge: it stands between clients and the Vexa gateway and lets through what it can
// answer for. It joins the rooms below it into one road.
//
// Every request takes it (proxy.go, forward.go):
//
//   - its address is made canonical, once for all who decide by it, or refused (package exchange);
//   - the host that it names says which [exchange.Site] is meant and which upstream
//     stands behind it: a row each;
//   - ours lives under /sso/ (mux.go): the start page, who am I, the probes, and what other rooms put there
//     with [Proxy.Handle]. Everything else is Vexa's;
//   - who stands behind the credential on it is found out, or remembered (package caller);
//   - where the provider's word about them has grown old and nobody can ask in the background, or hears less
//     there, a page that is opened passes by the provider (package signin);
//   - what another site could have made the browser send is refused, where a cookie authenticated it;
//   - the rules of now say what they may do, and the route table whether that covers this request (route.go);
//   - their Vexa key is put on and the request passed on, and its answer back (package upstream).
//
// Pages on listed origins may call with a credential of their own (cors.go). revoke.go applies a revocation
// on this replica: to cached callers and to whatever is under way.
//
// Rooms beside the road (tokens, authserver) learn from a [Visit] who sends the request, and import nothing
// below this package (rooms.go).
package proxy
