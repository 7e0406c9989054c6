package rule

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"vexa-sso/oidc/oidctest"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// watch watches a file until the test ends, and returns what it reads at every change.
// It returns after the first.
func watch(t *testing.T, path string) <-chan string {
	t.Helper()
	changes := make(chan string)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- WatchFile(ctx, path, func() {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
			}
			select {
			case changes <- string(text):
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	expect(t, changes, "one")
	return changes
}

func expect(t *testing.T, changes <-chan string, want string) {
	t.Helper()
	select {
	case got := <-changes:
		if got != want {
			t.Fatalf("a change to %q, want %q", got, want)
		}
	case <-time.After(oidctest.Patience):
		t.Fatalf("no change to %q was seen", want)
	}
}

func TestWatchFileSees(t *testing.T) {
	t.Parallel()

	t.Run("writing in place", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "rules.yaml")
		write(t, path, "one")
		changes := watch(t, path)
		write(t, path, "two and more")
		expect(t, changes, "two and more")
	})

	t.Run("replacing by renaming, more than once", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "rules.yaml")
		write(t, path, "one")
		changes := watch(t, path)
		for _, text := range []string{"two", "six"} {
			write(t, path+".new", text)
			rename(t, path+".new", path)
			expect(t, changes, text)
		}
	})

	t.Run("deleting and making again", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "rules.yaml")
		write(t, path, "one")
		changes := watch(t, path)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		write(t, path, "two")
		expect(t, changes, "two")
	})

	// A ConfigMap: rules.yaml -> ..data/rules.yaml, ..data -> ..1; an update makes ..2 and renames
	// a new ..data over the old.
	t.Run("a Kubernetes volume", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		for version, text := range map[string]string{"..1": "one", "..2": "two", "..3": "six"} {
			if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, version, "rules.yaml"), text)
		}
		data, path := filepath.Join(dir, "..data"), filepath.Join(dir, "rules.yaml")
		symlink(t, "..1", data)
		symlink(t, "..data/rules.yaml", path)
		changes := watch(t, path)
		for _, update := range [][2]string{{"..2", "two"}, {"..3", "six"}} {
			symlink(t, update[0], data+"_tmp")
			rename(t, data+"_tmp", data)
			expect(t, changes, update[1])
		}
	})

	t.Run("writing the target of a link in another directory", func(t *testing.T) {
		t.Parallel()
		target, path := filepath.Join(t.TempDir(), "target.yaml"), filepath.Join(t.TempDir(), "rules.yaml")
		write(t, target, "one")
		symlink(t, target, path)
		changes := watch(t, path)
		write(t, target, "two and more")
		expect(t, changes, "two and more")
	})
}

func TestWatchFileNeedsADirectory(t *testing.T) {
	t.Parallel()
	err := WatchFile(t.Context(), filepath.Join(t.TempDir(), "none", "rules.yaml"), func() {})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// The loop's times, on the clock of the bubble: events come when the test says.
func TestWatchFileWaits(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	write(t, path, "one")
	stamp := time.Now()
	touch := func(t *testing.T) {
		stamp = stamp.Add(time.Second)
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	start := func(t *testing.T) (events chan fsnotify.Event, errs chan error, seen *atomic.Int32) {
		seen, events, errs = new(atomic.Int32), make(chan fsnotify.Event), make(chan error)
		f := &watchedFile{
			path: path, onChange: func() { seen.Add(1) }, watch: func(string) error { return nil },
		}
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		go f.run(ctx, events, errs)
		synctest.Wait()
		if seen.Load() != 1 {
			t.Fatalf("seen %d times at the start", seen.Load())
		}
		return events, errs, seen
	}

	synctest.Test(t, func(t *testing.T) { // many events are one change, after the last
		events, _, seen := start(t)
		for range 10 {
			touch(t)
			events <- fsnotify.Event{Name: path}
			time.Sleep(fileSettles - time.Millisecond)
		}
		if synctest.Wait(); seen.Load() != 1 {
			t.Errorf("seen %d times while it was being written", seen.Load())
		}
		time.Sleep(2 * time.Millisecond)
		if synctest.Wait(); seen.Load() != 2 {
			t.Errorf("seen %d times after it was written", seen.Load())
		}
	})

	synctest.Test(t, func(t *testing.T) { // a busy neighbour puts nothing off
		events, _, seen := start(t)
		touch(t)
		events <- fsnotify.Event{Name: path}
		for range 3 {
			time.Sleep(fileSettles / 2)
			events <- fsnotify.Event{Name: filepath.Join(filepath.Dir(path), "busy.db-wal")}
		}
		if synctest.Wait(); seen.Load() != 2 {
			t.Errorf("seen %d times beside a busy neighbour", seen.Load())
		}
	})

	synctest.Test(t, func(t *testing.T) {
		// an event about another file is no change, and a lost one is noticed
		events, errs, seen := start(t)
		events <- fsnotify.Event{Name: filepath.Join(filepath.Dir(path), "other.yaml")}
		time.Sleep(2 * fileSettles)
		if synctest.Wait(); seen.Load() != 1 {
			t.Error("a change was seen where none was")
		}
		touch(t)
		errs <- fsnotify.ErrEventOverflow
		time.Sleep(2 * fileSettles)
		if synctest.Wait(); seen.Load() != 2 {
			t.Error("a change was not seen after events were lost")
		}
	})

	synctest.Test(t, func(t *testing.T) { // a change that the file system's clock is too coarse to tell
		events, _, seen := start(t)
		write(t, path, "one and more")
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
		events <- fsnotify.Event{Name: path}
		time.Sleep(2 * fileSettles)
		if synctest.Wait(); seen.Load() != 2 {
			t.Error("another length was not seen")
		}
	})

	synctest.Test(t, func(t *testing.T) {
		// without events, it is found in time; while the file is gone, nothing is
		_, _, seen := start(t)
		touch(t)
		time.Sleep(filePolled + time.Millisecond)
		if synctest.Wait(); seen.Load() != 2 {
			t.Error("a change without an event was not seen")
		}
		rename(t, path, path+".away")
		time.Sleep(3 * filePolled)
		if synctest.Wait(); seen.Load() != 2 {
			t.Error("a file that is gone was a change")
		}
		rename(t, path+".away", path)
		touch(t)
		time.Sleep(filePolled)
		if synctest.Wait(); seen.Load() != 3 {
			t.Error("a file that came back was not seen")
		}
	})
}
