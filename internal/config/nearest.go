package config

import "strings"

// aliases are names that other programs use for our keys and that no edit distance would find.
var aliases = map[string]string{
	"redirecturi":  keyCallbackURLs,
	"redirecturis": keyCallbackURLs,
	"port":         keyCallbackURLs,
	"authority":    keyIssuer,
	"audience":     keyClientID,
}

// suggest returns the hint for a key that is not in known.
func suggest(key string, known []string) string {
	if n := nearest(key, known); n != "" {
		return "did you mean " + n + "?"
	}
	return "the keys here are " + strings.Join(known, ", ")
}

// nearest returns the one of known that key was most likely meant to be, or "".
func nearest(key string, known []string) string {
	k := squash(key)
	best, bestDist := "", len(k) // worse than any acceptable one
	for _, candidate := range known {
		c := squash(candidate)
		if aliases[k] == candidate {
			return candidate
		}
		limit := max(1, max(len(k), len(c))/3)
		d := distance(k, c)
		if len(k) >= 4 && len(c) >= 4 && (strings.Contains(c, k) || strings.Contains(k, c)) {
			d = min(d, limit) // pool_id, issuer_url
		}
		if d <= limit && d < bestDist {
			best, bestDist = candidate, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that turn a into
// b (optimal string alignment). Names longer than 64 bytes are not worth comparing.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}

// Suggest returns the hint for a key that is not in known. It is for the other TOML files of this module.
func Suggest(key string, known []string) string { return suggest(key, known) }

// Line returns the line in src, a TOML text, of the key or table with that path: 1 is the first, 0
// means that it is not there. In a list of tables the index follows the name: client, 0, id.
func Line(src string, path ...string) int { return locate(indexed(scan(src)), path...) }

// SyntaxError puts an error of the TOML library into this package's words, without the text of src.
func SyntaxError(path, src string, err error) error { return syntaxError(path, src, err) }
