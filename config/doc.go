// Package config turns one YAML document and the environment into one validated [Config].
//
// # The road from bytes to settings
//
// [Load] reads the document (from a file, or from VEXA_SSO_CONFIG) into a plain tree in which every value
// knows its line and column. VEXA_SSO_ variables are put into that tree: VEXA_SSO_STORE_URL is store.url, a
// list is separated by commas; lists of rules and of providers have no variables. Then ${env:NAME} and
// ${file:/path} are resolved in every text, once, and $${ stands for the characters ${. The tree is decoded
// over the defaults by the types of the settings, which are declared by the packages that need them, and
// everything is checked: by those packages, and here for what concerns several of them.
//
// The keys of a document are exactly the yaml tags of [Config]. A field that is tagged secret is shown to
// nobody ([Config.YAML] redacts it). A text whose key ends in _file is a path: it is resolved from the folder
// of the document, has to be readable, and is listed in [Config.Files], so that a server can watch it.
//
// # Errors
//
// Nothing is guessed and nothing is ignored: an unknown key, a key given twice, a key without a value, an
// unknown VEXA_SSO_ variable are errors, and so is everything that would start unsafely. [Errors] holds all
// of them, each with its place, its key and what to write instead:
//
//	vexa-sso.yaml:19:13: rules_file: there are rules in the document and in a file: keep one of the two
//	VEXA_SSO_STORE_URL: store.url: is neither SQLite nor PostgreSQL: write sqlite:<file>, or postgres://…
//
// A message never shows what came in by a reference, nor the text around a syntax error.
//
// # Reloading
//
// A server that finds one of [Config.Files] changed calls [Load] again. When that fails it keeps what it has,
// and says so; access never opens because a file could not be read.
package config
