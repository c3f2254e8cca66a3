//go:build unix && !linux

package filestore

import (
	"context"
	"errors"
)

func onSmallDisk(context.Context, *Store) error { return errors.ErrUnsupported }
