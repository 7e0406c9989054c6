package rule

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// How long a file must have been left alone before it counts as written, and how often it is looked at where
// the file system sends no events (network mounts, single files bound into a container).
const (
	fileSettles = 200 * time.Millisecond
	filePolled  = time.Minute
)

// WatchFile calls onChange whenever the file at path was written or is another one than before; and once at
// the beginning, so that what changed before the watch began is not missed. It returns when ctx is done
// (nil), or at once when the directory of path cannot be watched; onChange is called before it returns, never
// after, and never twice at a time.
//
// It sees a file that is written in place, one that is replaced by renaming, and a symbolic link that is
// turned to another target, on whatever level (a Kubernetes ConfigMap or Secret). A file that is gone is not
// a change: the next content is.
func WatchFile(ctx context.Context, path string, onChange func()) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", path, err)
	}
	defer watcher.Close()
	if err := watcher.Add(filepath.Dir(path)); err != nil {
		return fmt.Errorf("watch the directory of %s: %w", path, err)
	}
	f := &watchedFile{path: path, onChange: onChange, watch: watcher.Add}
	f.run(ctx, watcher.Events, watcher.Errors)
	return nil
}

type watchedFile struct {
	path     string
	onChange func()
	watch    func(dir string) error
	last     fs.FileInfo
	target   string // where the links end, as of the last look
}

func (f *watchedFile) run(ctx context.Context, events <-chan fsnotify.Event, errs <-chan error) {
	poll := time.NewTicker(filePolled)
	defer poll.Stop()
	settled := time.NewTimer(0)
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-events:
			if f.concerns(event.Name) {
				settled.Reset(fileSettles)
			}
		case <-errs: // lost events, for example: look
			settled.Reset(fileSettles)
		case <-settled.C:
			f.look()
		case <-poll.C:
			f.look()
		}
	}
}

// concerns says whether an event in one of the directories may be about the file: one of its own name,
// or of a link on the way to it ("..data" in a Kubernetes volume). A busy neighbour would otherwise
// put off looking for ever.
func (f *watchedFile) concerns(name string) bool {
	base := filepath.Base(name)
	return base == filepath.Base(f.path) || base == filepath.Base(f.target) || strings.HasPrefix(base, "..")
}

// look calls onChange when the file is not the one that was there at the last look.
func (f *watchedFile) look() {
	f.watchTarget()
	now, err := os.Stat(f.path)
	if err != nil || f.last != nil && sameFile(now, f.last) {
		return
	}
	f.last = now
	f.onChange()
}

// watchTarget also watches the directory in which a link ends, to see its target being written. Where that
// fails there is still the poll.
func (f *watchedFile) watchTarget() {
	if target, err := filepath.EvalSymlinks(f.path); err == nil {
		f.target = target
		_ = f.watch(filepath.Dir(target))
	}
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
