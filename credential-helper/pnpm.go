package credentialhelper

import "context"

// pnpm is the tokenHelper of pnpm's .npmrc. It names no target: which registry the token is for is
// written in front of the setting, where only pnpm sees it. Versions up to 10 pass no arguments.
var pnpm = Protocol{Name: "pnpm", Program: "pnpm-cogauth", Suffixed: true, Run: runPnpm}

func runPnpm(ctx context.Context, c *Call) error {
	if len(c.Args) > 0 {
		return malformed("pnpm", "has an argument too many: pnpm's token helper takes none")
	}
	cred, err := c.token(ctx, Request{Client: "pnpm", MinTTL: briefly})
	if err != nil {
		return err
	}
	// Up to version 10 this is the whole value of the header. Version 12 leaves a scheme that is there alone.
	return c.write("Bearer " + cred.Token + "\n")
}
