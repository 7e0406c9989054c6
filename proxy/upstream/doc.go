// Package upstream is the way to Vexa and back.
//
// [Passer.Pass] gets the caller's key, takes everything off the request that a client may not say, puts the
// key on (headers.go), and passes the request on (pass.go); what comes back goes through the same care
// (hygiene.go, S1).
// When the gateway no longer knows a key that we believe good, that is found out and mended here: the
// transport asks, mints once and sends the request again (keyretry.go).
//
// Whatever is under way is registered in [Streams] before its body is read, so that it ends when access does,
// in whatever state it is (S5): requests (pass.go, slowbody.go), event streams (events.go), WebSockets, and
// the forms of our own pages (form.go). WebSockets are passed on by a copying loop of our own (websocket.go),
// which holds little while they are idle and follows their frames (frames.go), so that a client whose access
// ends can be told with a close frame. What expires is found by the second in which it does (wheel.go);
// accounts in doubt are looked at again, several at a time (doubts.go).
//
// The state of a request is embedded beside its exchange, together with its place in the register: its
// [Passage], which is also the context of all that is done for it.
//
// Messages to Vexa's MCP service are decided by the tools that they call (mcp.go); the lists in its answers
// show what is left (mcpanswer.go), and its sessions are sealed for who got them (mcpsession.go).
package upstream
