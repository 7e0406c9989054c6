package terminal

import (
	"fmt"
	"strings"
)

// curlOptions is the allow-list of curl's options, with whether they take a value. It is no deny-list: curl
// has options that add further URLs, follow redirects with credentials, read more options from a file, or
// print what it sends, and new ones every year.
var curlOptions = map[string]bool{
	// the request
	"-X": true, "--request": true, "-G": false, "--get": false, "-I": false, "--head": false,
	"-H": true, "--header": true,
	"-A": true, "--user-agent": true, "-e": true, "--referer": true, "-r": true, "--range": true, "-C": true,
	"--continue-at": true,
	"--http1.1":     false, "--http2": false, "--compressed": false, "-g": false, "--globoff": false,
	// what it sends
	"-d": true, "--data": true, "--data-ascii": true, "--data-binary": true, "--data-raw": true,
	"--data-urlencode": true, "--json": true,
	"-F": true, "--form": true, "--form-string": true, "-T": true, "--upload-file": true,
	// what it shows and writes
	"-i": false, "--include": false, "--show-headers": false, "-D": true, "--dump-header": true, "-o": true,
	"--output": true, "--output-dir": true,
	"--create-dirs": false, "-O": false, "--remote-name": false, "-J": false, "--remote-header-name": false,
	"-w": true, "--write-out": true,
	"-N": false, "--no-buffer": false, "-s": false, "--silent": false, "-S": false, "--show-error": false,
	"-#": false, "--progress-bar": false, "--no-progress-meter": false,
	// how it fails
	"-f": false, "--fail": false, "--fail-with-body": false, "-m": true, "--max-time": true,
	"--connect-timeout": true, "--max-filesize": true,
	"--retry": true, "--retry-delay": true, "--retry-max-time": true, "--retry-all-errors": false,
	"--retry-connrefused": false,
	"--limit-rate":        true, "-4": false, "--ipv4": false, "-6": false, "--ipv6": false,
}

// CurlArguments returns curl's arguments for paths of one server, with a person's options. The token is not
// in them, where everybody on the machine could read it: curl reads CurlConfig through --config. Options that
// could send the token elsewhere or print it, and URLs that are not the server's, are errors.
func CurlArguments(origin Origin, caFile string, paths, options []string) ([]string, error) {
	if err := vetCurl(options); err != nil {
		return nil, err
	}
	args := []string{"--proto", "=https", "--globoff"}
	if strings.HasPrefix(string(origin), "http://") { // on this machine, and a proxy would see the credential
		args = []string{"--proto", "=http", "--noproxy", "*", "--globoff"}
	}
	if caFile != "" {
		args = append(args, "--cacert", caFile)
	}
	args = append(args, options...)
	for _, path := range paths {
		address, err := origin.Resolve(path)
		if err != nil {
			return nil, err
		}
		args = append(args, "--url", address)
	}
	return args, nil
}

// CurlConfig returns the curl config file with the token. It is set as a header that curl itself treats as a
// credential.
func CurlConfig(token string) string { return "header = \"Authorization: Bearer " + token + "\"\n" }

// vetCurl checks options, parsed as curl does: short ones may be written together, and a value may follow at
// once or as the next argument.
func vetCurl(options []string) error {
	for i := 0; i < len(options); i++ {
		arg := options[i]
		switch {
		case strings.HasPrefix(arg, "--"):
			value, known := curlOptions[arg]
			if !known {
				return refuseCurl(arg)
			}
			if value {
				i++
			}
		case strings.HasPrefix(arg, "-") && arg != "-":
			next, err := vetShort(arg)
			if err != nil {
				return err
			}
			if next {
				i++
			}
		default:
			return fmt.Errorf("%q would be a further address to curl: name paths before the --", arg)
		}
		if i >= len(options) {
			return fmt.Errorf("curl's %s wants a value", arg)
		}
	}
	return nil
}

// vetShort checks a cluster of short options, and reports whether the last takes the next argument.
func vetShort(arg string) (next bool, err error) {
	for i, letter := range arg[1:] {
		value, known := curlOptions["-"+string(letter)]
		switch {
		case !known:
			return false, refuseCurl("-" + string(letter))
		case value:
			return i == len(arg)-2, nil
		}
	}
	return false, nil
}

func refuseCurl(option string) error {
	switch option {
	case "-L", "--location", "--location-trusted":
		return fmt.Errorf("curl's %s follows redirects, and your token is for one server: ask for the "+
			"address that the answer names", option)
	case "-v", "--verbose", "--trace", "--trace-ascii":
		return fmt.Errorf("curl's %s prints what it sends, and your token with it: use -i, -D - or -w",
			option)
	}
	return fmt.Errorf("curl's %s is not passed on, because only what cannot lose your token is: for "+
		"anything else, `vexa-sso exec -- …` gives it to a program of your choice", plain(option))
}
