package authserver

// For the tests outside of the package.
var DeviceNetwork = siteKey

const CodeLifetime = codeLifetime
