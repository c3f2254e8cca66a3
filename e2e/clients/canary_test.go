//go:build linux

package clients

import (
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// watch has the end of the test look for secrets where none belong: in files of the home, whoever wrote
// them, and in what commands said on standard error.
func (w *world) watch() {
	w.t.Cleanup(func() {
		secrets := w.pool.Secrets()
		look := func(where, text string) {
			for i, s := range secrets {
				if strings.Contains(text, s) {
					w.t.Errorf("%s: holds secret %d of %d, want none", where, i, len(secrets))
				}
				for _, user := range []string{"", "oauth2", "cognito", "cogauth"} {
					if strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(user+":"+s))) {
						w.t.Errorf("%s: holds secret %d of %d as of Basic authentication, want none", where, i, len(secrets))
					}
				}
			}
		}
		w.mu.Lock()
		look("standard error", w.said.String())
		w.mu.Unlock()
		err := filepath.WalkDir(w.home, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // what went meanwhile
			}
			b, err := os.ReadFile(path)
			if err == nil {
				look(strings.TrimPrefix(path, w.home), string(b))
			}
			return nil
		})
		if err != nil {
			w.t.Error(err)
		}
	})
}
