package credentialhelper

import (
	"context"
	"strings"
)

// terraform is the protocol of Terraform's and OpenTofu's credentials helpers. Both hide what a helper
// says on standard error unless TF_LOG is set.
var terraform = Protocol{Name: "terraform", Program: "terraform-credentials-cogauth", Run: runTerraform}

func runTerraform(ctx context.Context, c *Call) error {
	if len(c.Args) != 2 {
		return malformed("terraform", "is not a verb and a host")
	}
	verb, host := c.Args[0], c.Args[1]
	switch verb {
	case "get", "forget":
	case "store":
		// The protocol wants the rest read even if nothing is kept.
		if _, err := c.readAll("terraform"); err != nil {
			return err
		}
		return &Refusal{
			Reason:  Misconfigured,
			Message: "cogauth keeps no tokens that others give it, so nothing was stored",
			Fix:     `for a host that a profile serves run "cogauth login"; any other's token goes into a credentials block of the CLI configuration`,
		}
	default:
		return malformed("terraform", "is for another verb than get, store and forget")
	}
	// A host and perhaps a port, and nothing that would make it more than that in a URL.
	if host == "" || strings.ContainsAny(host, `/\?#@% `) {
		return malformed("terraform", "has a host that is none")
	}
	// It may hold the token for as long as it runs, which an apply does for hours.
	r := Request{Client: "terraform", URL: "https://" + host, MinTTL: long}
	if verb == "forget" {
		if err := plain("terraform", host); err != nil {
			return err
		}
		return ignoreNotServed(c.Source.Reject(ctx, r, ""))
	}
	cred, err := c.token(ctx, r)
	switch {
	case ReasonOf(err) == NotServed:
		return c.write("{}\n")
	case err != nil:
		return err
	}
	return c.writeJSON(map[string]string{"token": cred.Token})
}
