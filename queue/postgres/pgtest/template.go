package pgtest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// initialise makes the server's directory. That costs most of the time which a small test takes, and always comes to the same, so a copy is kept in the user's
// cache directory, by version. Where there is none, or it cannot be used, the directory is made anew.
func (s *Server) initialise(initdb string) {
	s.tb.Helper()
	args := []string{"-U", user, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"}
	version, err := s.command(initdb, "--version").Output()
	s.must(err)
	kept := ""
	if dir, err := os.UserCacheDir(); err == nil {
		kept = filepath.Join(dir, "plba-pgtest", fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(version, "%q", args)))[:16])
	}
	if kept != "" && s.take(kept) == nil {
		return
	}
	s.must(os.RemoveAll(s.data())) // what was copied of it
	if output, err := s.command(initdb, append(args, "-D", s.data())...).CombinedOutput(); err != nil {
		s.tb.Fatalf("initdb: %v\n%s", err, output)
	}
	if kept != "" {
		_ = keep(s.data(), kept) // the next one makes it anew otherwise
	}
}

// take copies a kept directory.
func (s *Server) take(kept string) error {
	if err := copyTree(s.data(), kept); err != nil {
		return err
	}
	return filepath.WalkDir(s.data(), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return own(path)
	})
}

// keep keeps a copy, whole or not at all: others may do the same at this moment.
func keep(data, at string) error {
	if err := os.MkdirAll(filepath.Dir(at), 0o750); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(at), "new")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	whole := filepath.Join(dir, "data")
	if err := copyTree(whole, data); err != nil {
		return err
	}
	return os.Rename(whole, at)
}

// copyTree copies a directory; the server insists on it being nobody else's.
func copyTree(to, from string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return os.Chmod(to, 0o700)
}
