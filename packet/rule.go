package packet

import (
	"fmt"
	"strings"
)

// Severity is the weight of a broken rule.
type Severity byte

// The severities, in rising order. Strict decoding fails exactly on SeverityError.
const (
	SeverityNone    Severity = 0 // not a rule in that version
	SeverityNote    Severity = 1 // information
	SeverityWarning Severity = 2 // a violation that receivers tolerate or that lacks context
	SeverityError   Severity = 3 // a clear violation
)

// String returns "none", "note", "warning" or "error", or "Severity(n)".
func (s Severity) String() string {
	switch s {
	case SeverityNone:
		return "none"
	case SeverityNote:
		return "note"
	case SeverityWarning:
		return "warning"
	case SeverityError:
		return "error"
	}
	return fmt.Sprintf("Severity(%d)", byte(s))
}

// Side is one end of a connection, as the one at fault.
type Side byte

// The sides. SideUnknown also stands for "either", where the direction was not told.
const (
	SideUnknown Side = 0
	SideClient  Side = 1
	SideServer  Side = 2
)

// String returns "client", "server" or "unknown", or "Side(n)".
func (s Side) String() string {
	switch s {
	case SideUnknown:
		return "unknown"
	case SideClient:
		return "client"
	case SideServer:
		return "server"
	}
	return fmt.Sprintf("Side(%d)", byte(s))
}

// Direction is the way a packet travels.
type Direction byte

// The directions.
const (
	DirUnknown     Direction = 0
	ClientToServer Direction = 1
	ServerToClient Direction = 2
)

// String returns "c2s", "s2c" or "unknown", or "Direction(n)".
func (d Direction) String() string {
	switch d {
	case DirUnknown:
		return "unknown"
	case ClientToServer:
		return "c2s"
	case ServerToClient:
		return "s2c"
	}
	return fmt.Sprintf("Direction(%d)", byte(d))
}

// Sender returns the side that sends in direction d.
func (d Direction) Sender() Side {
	switch d {
	case ClientToServer:
		return SideClient
	case ServerToClient:
		return SideServer
	}
	return SideUnknown
}

// Rule is something the specifications demand of one packet, with its number in each of them: the same number means
// different things in 3.1.1 and 5.0, and 3.1 has none.
type Rule struct {
	// Key names the rule in mq, whatever the version: a row of the project's list of statements ("E1"), or a word.
	Key string
	// V311 and V5 are the statement ("3.3.1-2") or section ("§2.2.3") of that version, "" when it has no such rule.
	V311, V5 string
	// Text states the rule in one sentence.
	Text string
	// Sev31, Sev311 and Sev5 are the weights by version; SeverityNone where the rule does not exist.
	Sev31, Sev311, Sev5 Severity
	// Side is who alone can break it, or SideUnknown.
	Side Side
	// Code is what a 5.0 receiver should answer, 0 for nothing. Named tells that the specification names it for this
	// very case, not only by the general rule of section 4.13.1.
	Code  ReasonCode
	Named bool
	// Directional rules are applied only when the direction is known, so never by Decode.
	Directional bool
	// Err is the sentinel an error wraps.
	Err error
}

// ID returns the statement or section of version v as it is printed: "MQTT-3.3.1-2", "§2.2.3", or "" when that version
// has none, as always in 3.1.
func (r *Rule) ID(v Version) string {
	id := ""
	switch v {
	case V311:
		id = r.V311
	case V5:
		id = r.V5
	}
	if id == "" || strings.HasPrefix(id, "§") {
		return id
	}
	return "MQTT-" + id
}

// Severity returns the weight of the rule in version v; an unknown version is judged as 5.0.
func (r *Rule) Severity(v Version) Severity {
	switch v {
	case V31:
		return r.Sev31
	case V311:
		return r.Sev311
	}
	return r.Sev5
}

// malformed makes a rule whose breach is a Malformed Packet, answered 0x81 by the general rule, and an error in every
// version that has it. MQTT 3.1 is held to the rules of 3.1.1 unless in31 says otherwise.
func malformed(key, v311, v5, text string) Rule {
	r := Rule{Key: key, V311: v311, V5: v5, Text: text, Err: ErrMalformed, Code: ReasonMalformedPacket}
	if v311 != "" {
		r.Sev31, r.Sev311 = SeverityError, SeverityError
	}
	if v5 != "" {
		r.Sev5 = SeverityError
	}
	return r
}

// protocol is malformed for a Protocol Error, 0x82.
func protocol(key, v311, v5, text string) Rule {
	r := malformed(key, v311, v5, text)
	r.Err, r.Code = ErrProtocol, ReasonProtocolError
	return r
}

// in31, in3 and all set the severity in 3.1, in 3.1 and 3.1.1, and everywhere the rule exists.
func (r Rule) in31(s Severity) Rule { r.Sev31 = s; return r }
func (r Rule) in3(s Severity) Rule  { r.Sev31, r.Sev311 = s, s; return r }
func (r Rule) all(s Severity) Rule {
	r.Sev31, r.Sev311, r.Sev5 = min(r.Sev31, s), min(r.Sev311, s), min(r.Sev5, s)
	return r
}

// by names the only side that can break the rule, named the code the specification gives for the very case, general the
// one that follows from the general rule.
func (r Rule) by(s Side) Rule            { r.Side = s; return r }
func (r Rule) named(c ReasonCode) Rule   { r.Code, r.Named = c, true; return r }
func (r Rule) general(c ReasonCode) Rule { r.Code, r.Named = c, false; return r }
func (r Rule) directional() Rule         { r.Directional = true; return r }
