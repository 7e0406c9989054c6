package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxFile is the greatest size of a file that the configuration names, in bytes: a secret, a certificate
// chain, a bundle of authorities.
const maxFile = 1 << 20

// read reads a file that the configuration names, and adds it to those to watch.
func (l *loader) read(path string, at place, key string) ([]byte, bool) {
	l.files[path] = true
	text, err := readFile(path)
	if err != nil {
		l.fail(at, key, err.Error(), "give the path of a file that this user may read")
		return nil, false
	}
	return text, true
}

// readFile reads a regular file of at most maxFile bytes. It calls Stat before Open, since opening a pipe
// would wait for a writer.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, cannotRead(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return readBounded(path, maxFile)
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cannotRead(path, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, cannotRead(path, err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s has more than %d KiB", path, limit>>10)
	}
	return text, nil
}

// cannotRead wraps an error of the operating system, so that it names the path once.
func cannotRead(path string, err error) error {
	var detail *fs.PathError
	if errors.As(err, &detail) {
		err = detail.Err
	}
	return fmt.Errorf("cannot read %s: %w", path, err)
}
