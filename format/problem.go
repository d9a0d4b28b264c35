package format

import "strings"

// Problem is a set of things that kept a renderer from showing a payload the way it was asked to. Nothing is lost when
// one is set, but the user should hear of it on standard error.
type Problem uint8

const (
	// NotJSON says that a payload asked for as JSON (%J) is not JSON, so that it was printed under another key.
	NotJSON Problem = 1 << iota
	// NotFloat says that %f met a payload that is not 4 bytes long, and printed nothing for it.
	NotFloat
	// NotDouble says that %d met a payload that is not 8 bytes long, and printed nothing for it.
	NotDouble
)

// String returns the problems in words, separated by "; ", or "none".
func (p Problem) String() string {
	var words []string
	if p&NotJSON != 0 {
		words = append(words, "payload is not valid JSON")
	}
	if p&NotFloat != 0 {
		words = append(words, "payload is not a 4-byte float")
	}
	if p&NotDouble != 0 {
		words = append(words, "payload is not an 8-byte double")
	}
	if words == nil {
		return "none"
	}
	return strings.Join(words, "; ")
}
