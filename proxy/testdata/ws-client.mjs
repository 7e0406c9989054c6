// A WebSocket client of the npm package ws, for clients_test.go.
//
//	node ws-client.mjs <node_modules> <url> <headers> <protocols>
//
// Headers and protocols are JSON. The line on standard output is JSON: the protocol that was selected and the answer to a ping, or the
// status of the refusal; then, when the socket is closed, the code.
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [modules, url, headers, protocols] = process.argv.slice(2);
const { default: WebSocket } = await import(pathToFileURL(join(modules, 'ws/wrapper.mjs')));

const socket = new WebSocket(url, JSON.parse(protocols), { headers: JSON.parse(headers) });
const say = (said) => console.log(JSON.stringify(said));
socket.on('open', () => socket.send('{"action":"ping"}'));
socket.on('message', (data) => say({ protocol: socket.protocol, answer: String(data) }));
socket.on('close', (code) => {
  say({ code });
  process.exit(0);
});
socket.on('unexpected-response', (_, res) => {
  say({ status: res.statusCode });
  process.exit(0);
});
socket.on('error', (e) => {
  say({ error: e.message });
  process.exit(0);
});
