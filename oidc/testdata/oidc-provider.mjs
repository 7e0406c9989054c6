// A provider made of the npm package oidc-provider, which the OpenID Foundation has certified, for independent_test.go.
//
//	node oidc-provider.mjs <node_modules> <settings>
//
// settings is JSON: client, secret, keyClient, jwk, redirect, signedOut, backChannel. The first line on standard output is the
// issuer. It signs everybody in as Ada without asking, ends when standard input does, and rotates its key on POST /test/rotate.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [modules, given] = process.argv.slice(2);
const settings = JSON.parse(given);
const { Provider } = await import(pathToFileURL(join(modules, 'oidc-provider/lib/index.js')));

const keys = [];
function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  keys.unshift({ ...privateKey.export({ format: 'jwk' }), kid: `key-${keys.length}`, use: 'sig', alg: 'RS256' });
}

const client = {
  redirect_uris: [settings.redirect],
  post_logout_redirect_uris: [settings.signedOut],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
};

function makeProvider(issuer) {
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: [
      { ...client, client_id: settings.client, client_secret: settings.secret, backchannel_logout_uri: settings.backChannel, backchannel_logout_session_required: true },
      { ...client, client_id: settings.keyClient, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [settings.jwk] } },
    ],
    scopes: ['openid', 'offline_access'],
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups'] },
    cookies: { keys: ['for tests alone'] },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    rotateRefreshToken: true,
    // Its guard against requests to this machine is put aside: the back channel is on it.
    fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
    interactions: { url: (_, interaction) => `/test/interaction/${interaction.uid}` },
    findAccount: async (_, sub) => ({
      accountId: sub,
      claims: async () => ({ sub, name: 'Ada Byron', email: 'ada@acme.example', email_verified: true, groups: ['vexa-users'] }),
    }),
  });
  provider.on('server_error', (_, err) => console.error(err));
  provider.on('backchannel.error', (_, err) => console.error(err));
  return provider;
}

async function interact(req, res) {
  const { prompt, params, session } = await provider.interactionDetails(req, res);
  if (prompt.name === 'login') {
    await provider.interactionFinished(req, res, { login: { accountId: 'ada' } });
    return;
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  await provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

let provider;
newKey();
const server = createServer((req, res) => {
  if (req.url === '/test/rotate') {
    newKey();
    provider = makeProvider(provider.issuer);
    res.end();
  } else if (req.url.startsWith('/test/interaction/')) {
    interact(req, res).catch((err) => { console.error(err); res.destroy(); });
  } else {
    provider.callback()(req, res);
  }
});
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://localhost:${server.address().port}`;
  provider = makeProvider(issuer);
  console.log(issuer);
});
process.stdin.resume().on('end', () => process.exit(0));
