package main

import "context"

// whileParentLives does nothing here: Windows ends the programs of a console with the console.
func whileParentLives(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
