package proxy

// For the tests that see the bridge from outside.
var (
	BrowserTab = browserTab
	Photograph = photograph
)
