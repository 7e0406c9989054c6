package authserver

// For the tests outside of the package.
var (
	Purge         = (*Server).purge
	DeviceNetwork = siteKey
)

const CodeLifetime = codeLifetime
