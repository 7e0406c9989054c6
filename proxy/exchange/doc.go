// Package exchange is one request and its answer, as every room of the edge deals with them.
//
// An [Exchange] wraps the ResponseWriter from the first step to the line in the log. It has the address in
// its one canonical form (canonical.go, S4), the [Site] that was asked for, which every URL of ours is built
// from (site.go, S9), and what the log and the metrics are to say (accesslog.go, metrics.go).
//
// Whatever is refused or fails becomes a [Problem], and a Problem becomes a response in one place,
// [Edge.Answer]: a page for a navigation, JSON in Vexa's shape for everything else (problem.go, crosssite.go,
// S8). Whether somebody unknown hears 401 or is led to sign in is decided in challenge.go. A [Code] comes
// from one table (codes.go), from which README's is made.
//
// [Edge] is what every room works with: pages, metrics, audit, log, clock, randomness. Cookies of ours are
// made by [NewCookie] and nowhere else.
package exchange
