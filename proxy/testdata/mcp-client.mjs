// The client of the MCP TypeScript SDK, as anybody would use it, for clients_test.go.
//
//	node mcp-client.mjs <node_modules> <url> <token>
//
// The line on standard output is JSON: the tools that it was told of and the id of its session, or the error.
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [modules, url, token] = process.argv.slice(2);
const sdk = (file) => import(pathToFileURL(join(modules, '@modelcontextprotocol/sdk/dist/esm/client', file)));
const { Client } = await sdk('index.js');
const { StreamableHTTPClientTransport } = await sdk('streamableHttp.js');

const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { Authorization: `Bearer ${token}` } } });
const client = new Client({ name: 'test', version: '1' });
let said;
try {
  await client.connect(transport);
  const { tools } = await client.listTools();
  await client.ping();
  said = { tools: tools.map((t) => t.name), session: transport.sessionId };
} catch (e) {
  said = { error: String(e.message) };
}
console.log(JSON.stringify(said));
process.exit(0);
