// Package upstream is the way to Vexa and back.
//
// [Passer.Pass] gets the caller's key, takes everything off the request that a client may not say, puts the
// key on (headers.go), and passes the request on (pass.go); what comes back goes through the same care
// (hygiene.go, S1).
// When the gateway no longer knows a key that we believe good, that is found out and mended here: the
// transport asks, mints once and sends the request again (keyretry.go).
//
// Whatever lasts is registered in [Streams], so that it ends when access does (S5): WebSockets, event
// streams, long responses (streams.go, events.go). WebSockets are passed on by a copying loop of our own
// (websocket.go), which holds little while they are idle and follows their frames (frames.go), so that a
// client whose access ends can be told with a close frame.
//
// A request costs one allocation of ours: its [Passage] is embedded beside its exchange.
package upstream
