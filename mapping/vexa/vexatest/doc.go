// Package vexatest is a Vexa that tests and demonstrations can run: the Admin API and the gateway of both
// generations in production use, "0.12" and "0.10", answering as the real services were seen to answer on the
// wire. The recorded exchanges are in testdata, and a test walks them all.
//
// In a test:
//
//	v := vexatest.Start(t, vexatest.Generation("0.10"))
//	client := vexa.New(v.AdminURL, vexatest.DefaultAdminToken)
//
// In a program, [New] and [Server.Listen], or [Server.ServeAdmin] and [Server.ServeGateway] with
// listeners of one's own. Nothing here sleeps by itself: keys expire by Config.Now, timeouts and event
// intervals wait on Config.After.
//
// # What can be asked afterwards
//
// [Server.GatewayWire] and [Server.AdminWire] have what was received, byte for byte and request by request:
// the lines of each header in order, trailers, and [Wire.Bytes] to prove that nothing came at all.
// [Server.Users], [Server.Tokens] (secrets included), [Server.Calls], [Server.PeakMints] and
// [Server.OpenStreams] tell the state; [Server.ToolCalls] what tools of the MCP service did.
//
// # What can be made to go wrong
//
// [Server.Set] takes a whole part [Down] or leaves it [Hung]: the Admin API, the gateway, a service behind
// it, the database. [Server.Inject] lets single calls fail: 500 before or after the effect, the answer lost,
// the call held until a channel closes. [Server.Heal] ends all that. [Server.RevokeToken],
// [Server.SetUserEmail] and [Server.Reinstall] act behind the caller's back; [Server.AddUser] and
// [Server.AddToken] do what another administrator would. [Server.SetRateLimit] switches on 429s.
// [Server.Emit] and [Server.Publish] send to open streams. [Server.RunRoutines] lets the scheduler's time
// come, and [Server.Become] upgrades or rolls back in place.
//
// With [Server.SetEcho], a service behind the gateway answers every request with a JSON
// account of what reached it.
//
// # What it cannot do
//
// The status line has Go's words for a status, header names have Go's letter case, and an HTTP/1.0 request is
// answered in HTTP/1.0. /openapi.json lists the routes without their schemas. The gateway's guard by client
// address is not simulated.
package vexatest
