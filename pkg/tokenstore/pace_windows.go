package tokenstore

import (
	"context"
	"time"
)

const breath time.Duration = 0

// pace has nobody to wait for.
func pace(context.Context) (done func()) { return func() {} }

// fickle: no such keychain here.
func fickle(error) bool { return false }
