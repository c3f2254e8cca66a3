package cogauth

import (
	"fmt"
	"time"
)

// Bounds of the two warnings about time.
const (
	skewToMention = 5 * time.Minute
	endToMention  = 3 * 24 * time.Hour
)

// warnOfSkew says that this machine's clock is wrong. cogauth copes; other programs may not.
func (c *Client) warnOfSkew(skew time.Duration) {
	if skew.Abs() <= skewToMention {
		return
	}
	which := "slow"
	if skew < 0 {
		which = "fast"
	}
	c.warn(fmt.Errorf("this machine's clock is %d min %s; tokens are judged by the server's", int(skew.Abs().Round(time.Minute).Minutes()), which))
}

// warnOfEnd says that the person will soon have to sign in again, at each refresh of the last days: on
// the way to a token that is cached there is no time for it.
func (c *Client) warnOfEnd(s *Session) {
	left := s.Ends.Sub(c.now())
	if s.Ends.IsZero() || left > endToMention || left < 0 {
		return
	}
	c.warn(fmt.Errorf("this sign-in ends in %s, at %s", inWords(left), s.Ends.Local().Format("2006-01-02 15:04")))
}

// inWords gives a duration of up to a few days in its largest unit.
func inWords(d time.Duration) string {
	n, unit := int(d.Hours()/24), "day"
	switch {
	case d < 2*time.Hour:
		n, unit = int(d.Minutes()), "minute"
	case d < 48*time.Hour:
		n, unit = int(d.Hours()), "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

func (c *Client) warn(err error) { c.cfg.Logger.Warn(err.Error()) }
