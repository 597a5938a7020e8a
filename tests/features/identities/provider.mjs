// panva's oidc-provider as two identity providers, each on a port of its own. `POST /control` changes how the next
// answers are made; everything else is the certified library.
import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';
import * as jose from 'jose';

const [ports, callbacks] = [process.argv[2].split(','), process.argv[3]];
let skew = 0;
const now = Date.now;
Date.now = () => now() + skew;

const newKey = (kid) => ({ ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' });

// `server.state` is what a test has changed; the library keeps what it has given out until its key changes.
function make(port, name, server) {
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{
      client_id: 'partywall', client_secret: 'a secret+with/signs', redirect_uris: [`${callbacks}/${name}/callback`],
      grant_types: ['authorization_code'], response_types: ['code'], token_endpoint_auth_method: 'client_secret_basic',
    }],
    jwks: { keys: [server.key] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: server.userinfo,
    features: { devInteractions: { enabled: true } },
    cookies: { keys: ['a key of the tests'] },
    ttl: { AuthorizationCode: 60 },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id, email: server.state.email ?? `${id}@example.com`, email_verified: server.state.verified ?? true, name: 'Ada',
      }),
    }),
  });
  provider.use(async (ctx, next) => {
    const { state } = server;
    if (state.away && ctx.path !== '/auth') { ctx.status = 503; ctx.body = 'away'; return; }
    await next();
    if (ctx.path === '/token' && ctx.body?.id_token && state.forge) {
      ctx.body = { ...ctx.body, id_token: await forged(ctx.body.id_token, state.forge, server.key) };
    }
    if (state.long && ctx.path === '/jwks') ctx.body = { keys: [], padding: 'x'.repeat(1024 * 1024) };
  });
  return provider.callback();
}

// The token as an attacker, or a provider with a fault, would make it.
async function forged(token, forge, key) {
  const header = jose.decodeProtectedHeader(token);
  const claims = { ...jose.decodeJwt(token), ...forge.claims };
  for (const name of forge.without ?? []) delete claims[name];
  if (forge.kind === 'tampered') {
    const [head, , signature] = token.split('.');
    return [head, jose.base64url.encode(JSON.stringify({ ...claims, sub: 'somebody else' })), signature].join('.');
  }
  if (forge.kind === 'unsigned') return new jose.UnsecuredJWT(claims).encode();
  if (forge.kind === 'symmetric') {
    return new jose.SignJWT(claims).setProtectedHeader({ ...header, alg: 'HS256' }).sign(new TextEncoder().encode('a secret+with/signs'.padEnd(32, ' ')));
  }
  const signing = forge.kind === 'foreign key' ? newKey(key.kid) : key;
  return new jose.SignJWT(claims).setProtectedHeader({ ...header, ...forge.header }).sign(await jose.importJWK(signing, 'RS256'));
}

const names = ['one', 'two'];
ports.forEach((port, index) => {
  const name = names[index];
  const original = newKey(randomUUID());
  const server = { key: original, userinfo: true, state: {} };
  let handle = make(port, name, server);
  createServer(async (request, response) => {
    if (request.url !== '/control') return handle(request, response);
    let body = '';
    for await (const part of request) body += part;
    const { skew: seconds, rotate, state } = JSON.parse(body);
    skew = seconds * 1000;
    const [key, userinfo] = [rotate ? newKey(randomUUID()) : original, state.userinfo ?? true];
    const same = key === server.key && userinfo === server.userinfo;
    Object.assign(server, { key, userinfo, state });
    if (!same) handle = make(port, name, server);
    response.end('{}');
  }).listen(port, '127.0.0.1');
});
