package main

// document is the demo's configuration: what an admin would write, with two providers and a rule of every
// sort.
const document = `
instance: demo
public_url: {public}
listen: {listen}
metrics: { listen: 127.0.0.1:0 }

vexa:
  gateway_url: {gateway}
  admin_url: {admin}
  admin_token: '{token}'

providers:
  - name: okta
    title: Acme (Okta)
    type: okta
    issuer: {idp}/okta/oauth2/default
    client_id: 0oademovexasso000001
    client_secret: '{okta-secret}'
    scopes: [groups]
    trusted_domains: [acme.example]
    # This provider's access tokens are accepted as bearer tokens: the nightly job shows one.
    api: { audiences: ["api://default"] }
  - name: entra
    title: Acme (Microsoft Entra ID)
    type: entra
    tenant: 7a1f3c52-9d0e-4b6f-8c21-5e4d90ab17f3
    cloud: {idp}/entra
    client_id: 2d9e6a40-1b7c-4f83-a5d2-3c0f8e7b6a91
    client_secret: '{entra-secret}'
    trusted_domains: [acme.example]
    groups_claim: groups # its registration lists them
    guests: deny

# Okta names groups by name, Entra ID by object id. A person who comes through Entra ID gets a Vexa user of
# their own (ada+entra@acme.example): two identities never share one unless an admin says so.
rules:
  - name: staff
    match: { providers: [okta], groups: [vexa-users] }
    grant: { scopes: [bot, tx], max_concurrent_bots: 2 }
  - name: admins
    match: { providers: [okta], groups: [vexa-admins] }
    grant: { scopes: [bot, tx], max_concurrent_bots: 10, admin: true }
  - name: viewers
    match: { providers: [okta], groups: [vexa-viewers] }
    grant: { scopes: [tx] }
  - name: staff-entra
    match: { providers: [entra], groups: [0b6f6e2a-9a0f-4d54-8f0e-1f2a3b4c5d6e] }
    grant:
      scopes: [bot, tx]
      max_concurrent_bots: 2
      vexa_email: '= identity.email.replace("@", "+entra@")'
  - name: admins-entra
    match: { providers: [entra], groups: [5d7c1a90-2b3e-4c4d-9e8f-aabbccddeeff] }
    grant:
      scopes: [bot, tx]
      max_concurrent_bots: 10
      admin: true
      vexa_email: '= identity.email.replace("@", "+entra@")'
  - name: viewers-entra
    match: { providers: [entra], groups: [8c2e4f16-7d3b-4a58-b1c9-60718293a4b5] }
    grant: { scopes: [tx], vexa_email: '= identity.email.replace("@", "+entra@")' }
  - name: nightly-job
    match: { providers: [okta], kind: [service] }
    when: identity.subject.endsWith("/client/{job}")
    grant: { scopes: [tx], vexa_email: '= "nightly-job@acme.example"' }
  - name: partners
    match: { domains: [partner.example] }
    deny: Partners may not use Vexa. Ask it@acme.example.

store: { url: 'sqlite:{dir}/vexa-sso.db' }
keyring_file: '{dir}/keyring.json'
`
