package terminal

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Browser returns a function that opens a URL in the person's browser, or nil where there is none: $BROWSER
// if it is set, else the system's. The URL holds nothing secret, as everybody on the machine may see the
// command line.
func Browser(getenv func(string) string) func(url string) error {
	commands := browsers(getenv)
	if len(commands) == 0 {
		return nil
	}
	return func(url string) error {
		for _, command := range commands {
			if start(command, url) == nil {
				return nil
			}
		}
		return errors.New("no browser could be started")
	}
}

// browsers returns the commands to try. $BROWSER is a list like PATH, and %s in it stands for the URL.
func browsers(getenv func(string) string) [][]string {
	var commands [][]string
	for command := range strings.SplitSeq(getenv("BROWSER"), string(os.PathListSeparator)) {
		if words := strings.Fields(command); len(words) > 0 {
			commands = append(commands, words)
		}
	}
	if len(commands) > 0 {
		return commands
	}
	switch runtime.GOOS {
	case "darwin":
		return [][]string{{"/usr/bin/open"}}
	case "windows":
		return [][]string{{"rundll32", "url.dll,FileProtocolHandler"}}
	}
	if getenv("DISPLAY") == "" && getenv("WAYLAND_DISPLAY") == "" && getenv("WSL_DISTRO_NAME") == "" {
		return nil // what would start is a browser in this very terminal
	}
	return [][]string{{"xdg-open"}, {"x-www-browser"}, {"wslview"}}
}

// start starts a browser that outlives us, without our terminal.
func start(command []string, url string) error {
	args, placed := append([]string(nil), command[1:]...), false
	for i, arg := range args {
		if strings.Contains(arg, "%s") {
			args[i], placed = strings.ReplaceAll(arg, "%s", url), true
		}
	}
	if !placed {
		args = append(args, url)
	}
	cmd := exec.Command(command[0], args...)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait() // so that it leaves no zombie; it ends when the browser does, or with us
	return nil
}
