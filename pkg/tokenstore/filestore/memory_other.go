//go:build unix && !linux

package filestore

import "os"

// inMemory: secrets are mounted by container runtimes, which run on Linux.
func inMemory(*os.File) bool { return false }
