// A real OpenID provider for tests: panva's oidc-provider, on loopback, with everything in memory.
//
// Prints `listening at <address>` when it is ready, and ends when its standard input does. With
// ISSUER it goes by that address, behind a proxy that ends TLS. Tests steer it at /control/…; see the
// table of controls below.

import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";

import { Provider } from "oidc-provider";

const { CLIENT_ID, CLIENT_SECRET, ISSUER, LEAN_ID_TOKENS } = process.env;

const accounts = new Map(); // by subject: { sub, email, name, groups }
const client = { client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: [] };
const log = [];
const stored = new Map(); // what the provider remembers, by kind and id
const cookieKeys = [randomUUID()];
let keys = [newKey(randomUUID())];
let issuer, provider;

/** The provider's store, as its documentation asks for; what has expired it notices itself. */
class Adapter {
  constructor(kind) {
    this.kind = kind;
  }
  key(id) {
    return `${this.kind}:${id}`;
  }
  async upsert(id, payload) {
    stored.set(this.key(id), payload);
  }
  async find(id) {
    if (this.kind === "Client") return id === CLIENT_ID ? structuredClone(client) : undefined;
    return stored.get(this.key(id));
  }
  async findByUid(uid) {
    const ours = (payload) => payload.kind === this.kind && payload.uid === uid;
    return [...stored.values()].find(ours);
  }
  async consume(id) {
    stored.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    stored.delete(this.key(id));
  }
  async revokeByGrantId(grantId) {
    forget((payload) => payload.grantId === grantId);
  }
}

function forget(belongs) {
  for (const [key, payload] of stored) if (belongs(payload)) stored.delete(key);
}

function newKey(kid) {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid, use: "sig" };
}

function newProvider() {
  const made = new Provider(issuer, {
    adapter: Adapter,
    jwks: { keys },
    cookies: { keys: cookieKeys },
    claims: {
      openid: ["sub"],
      profile: ["name"],
      email: ["email", "email_verified"],
      groups: ["groups"],
    },
    conformIdTokenClaims: Boolean(LEAN_ID_TOKENS), // if so, userinfo alone tells the groups
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: true, logoutSource: signOutPage },
      backchannelLogout: { enabled: true },
    },
    // By itself it would reach nobody on this machine.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    findAccount: (_, sub) => {
      const account = accounts.get(sub);
      return account && { accountId: sub, claims: () => ({ ...account, email_verified: true }) };
    },
    // Nobody is asked for consent: whatever the client asks for it gets.
    loadExistingGrant: async ({ oidc }) => {
      const whose = { accountId: oidc.session.accountId, clientId: oidc.client.clientId };
      const grant = new oidc.provider.Grant(whose);
      grant.addOIDCScope(oidc.params.scope);
      await grant.save();
      return grant;
    },
    ttl: { Session: 86400, Grant: 86400, Interaction: 3600, AccessToken: 3600, IdToken: 3600 },
  });
  made.proxy = Boolean(ISSUER); // believes X-Forwarded-Proto
  made.use(async (ctx, next) => {
    if (ctx.path === "/auth") log.push({ event: "authorization", query: { ...ctx.query } });
    await next();
  });
  note(made, "authorization.success", ({ oidc }) => ({ sub: oidc.session.accountId }));
  note(made, "authorization.error", (_, error) => ({ error: error.error }));
  note(made, "grant.success", ({ oidc }) => ({ sub: oidc.account.accountId }));
  note(made, "grant.error", (_, error) => ({ error: error.error }));
  note(made, "end_session.success", ({ oidc }) => ({ sub: oidc.session.accountId }));
  note(made, "end_session.error", (_, error) => ({ error: error.error }));
  note(made, "backchannel.success", (_, client, sub, sid) => ({ sub, sid }));
  note(made, "backchannel.error", (_, error) => ({ error: String(error) }));
  note(made, "userinfo.error", (_, error) => ({ error: error.error }));
  made.on("server_error", (_, error) => console.error(error));
  return made;
}

function note(made, event, details) {
  made.on(event, (...given) => log.push({ event, ...details(...given) }));
}

const page = (title, body) =>
  `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>${title}</title>
  <h1>${title}</h1>${body}</html>`;

// A page without a form action posts to its own address.
const signInPage = page(
  "Sign in at the provider",
  `<form method="post"><label>Account <input name="login" autofocus></label>
  <button>Sign in</button> <button name="refuse" value="yes">Refuse</button></form>`,
);

/** End all sessions of an account, and tell the client, as an administrator's console does. */
async function signOut({ sub }) {
  const told = await provider.Client.find(CLIENT_ID);
  for (const [key, { kind, accountId, authorizations = {} }] of stored) {
    if (kind !== "Session" || accountId !== sub) continue;
    stored.delete(key);
    if (CLIENT_ID in authorizations) await told.backchannelLogout(sub, authorizations[CLIENT_ID].sid);
  }
}

/** Who comes with an ID token is signed out without a further click; others have to confirm. */
function signOutPage(ctx, form) {
  const send = 'id="confirm" form="op.logoutForm" name="logout" value="yes"';
  const button = `<button ${send}>Sign out</button>`;
  const click = `<script>document.getElementById("confirm").click()</script>`;
  const sure = ctx.oidc.entities.IdTokenHint;
  ctx.body = page("Sign out of the provider", form + button + (sure ? click : ""));
}

async function interact(req, res) {
  const { prompt } = await provider.interactionDetails(req, res);
  const finish = (result) => provider.interactionFinished(req, res, result);
  if (prompt.name !== "login") return finish({ consent: {} });
  const form = new URLSearchParams(req.method === "POST" ? await body(req) : "");
  if (form.has("refuse")) return finish({ error: "access_denied" });
  const login = form.get("login");
  const account = [...accounts.values()].find(({ sub, email }) => login === sub || login === email);
  if (account) return finish({ login: { accountId: account.sub } });
  return res.writeHead(200, { "Content-Type": "text/html" }).end(signInPage);
}

const controls = {
  "POST /control/client": (metadata) => Object.assign(client, metadata),
  "POST /control/accounts": (account) => accounts.set(account.sub, account),
  "DELETE /control/accounts": ({ sub }) => {
    accounts.delete(sub);
    forget((payload) => payload.accountId === sub);
  },
  "POST /control/sign-out-everywhere": () => forget((payload) => payload.kind === "Session"),
  "POST /control/sign-out": signOut,
  // The old key stays published, unless the new one takes its name.
  "POST /control/rotate-keys": ({ keep_name }) => {
    keys = keep_name ? [newKey(keys[0].kid)] : [newKey(randomUUID()), ...keys];
    provider = newProvider();
  },
  "GET /control/log": () => log,
  "DELETE /control/log": () => void log.splice(0),
};

async function control(req, res) {
  const text = await body(req);
  const answer = await controls[`${req.method} ${req.url}`](text ? JSON.parse(text) : {});
  const shown = Array.isArray(answer) ? answer : {};
  res.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(shown));
}

async function body(req) {
  return Buffer.concat(await req.toArray()).toString();
}

function serve(req, res) {
  if (req.url.startsWith("/control/")) return control(req, res);
  if (req.url.startsWith("/interaction/")) return interact(req, res);
  return provider.callback()(req, res);
}

const server = createServer((req, res) =>
  Promise.resolve(serve(req, res)).catch((error) => {
    console.error(error);
    res.writeHead(500).end(String(error));
  }),
);
server.listen(0, "127.0.0.1", () => {
  const address = `http://127.0.0.1:${server.address().port}`;
  issuer = ISSUER || address;
  provider = newProvider();
  console.log(`listening at ${address}`);
});
process.stdin.resume().on("end", () => process.exit());
