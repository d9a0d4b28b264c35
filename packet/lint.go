package packet

// Finding is one rule that the packet breaks.
type Finding struct {
	Severity Severity
	// Key names the rule whatever the version, as Rule.Key does.
	Key string
	// Version is the version whose rules were applied, and Rule its statement ("MQTT-3.3.1-2") or section ("§2.2.3"), ""
	// when it has none.
	Version Version
	Rule    string
	// Text states the rule in one sentence.
	Text string
	// Field is the specification's name of the field at fault.
	Field string
	// Start and End are the bytes at fault [Start,End), counted from the packet's first byte.
	Start, End int
	// Side is who sent it, SideUnknown when the direction was not told and either could.
	Side Side
	// Code is what a 5.0 receiver should answer, 0 for nothing or before 5.0. CodeNamed tells that the specification names
	// it for this case, not only by the general rule of section 4.13.1.
	Code      ReasonCode
	CodeNamed bool
}

// Lint returns what Annotate would find in the packet at the start of b, nil when there is nothing, without describing
// the packet. On PUBLISH and its acknowledgements that break no rule it allocates nothing.
func Lint(b []byte, v Version, d Direction) []Finding {
	r := reader{b: b, v: v, dir: d, lint: true}
	if !r.begin(0) {
		return r.finds
	}
	switch r.t {
	case PUBLISH:
		var p Publish
		p.decode(&r)
	case PUBACK, PUBREC, PUBREL, PUBCOMP:
		var p ack
		p.decode(&r, ackRules[r.t])
	default:
		return lintOther(b, v, d)
	}
	r.finish(trailingRule(r.t, r.v, b))
	return r.finds
}

// lintOther lints a packet of a type that is rare enough to be allocated.
func lintOther(b []byte, v Version, d Direction) []Finding {
	r := reader{b: b, v: v, dir: d, lint: true}
	if r.begin(0) {
		newPacket(r.t).decode(&r)
		r.finish(trailingRule(r.t, r.v, b))
	}
	return r.finds
}

// finding describes the breach of a rule.
func (r *reader) finding(rule *Rule, field string, start, end int) Finding {
	f := Finding{
		Severity: rule.Severity(r.v), Key: rule.Key, Version: r.v, Rule: rule.ID(r.v), Text: rule.Text, Field: field,
		Start: start, End: end, Side: r.dir.Sender(),
	}
	switch {
	case rule.Err == ErrTruncated:
		f.Side = SideUnknown // the rest may be on its way, or the capture lost it
	case f.Side == SideUnknown && rule.Side != SideUnknown:
		f.Side = rule.Side
	case f.Side == SideUnknown:
		f.Side = onlySender(r.t, r.v)
	}
	if r.v == V5 {
		f.Code, f.CodeNamed = rule.Code, rule.Named
	}
	return f
}

// onlySender returns the side that alone may send packets of type t (section 2.1.2 of 5.0, 2.2.1 of 3.1.1).
func onlySender(t Type, v Version) Side {
	switch t {
	case CONNECT, SUBSCRIBE, UNSUBSCRIBE, PINGREQ:
		return SideClient
	case CONNACK, SUBACK, UNSUBACK, PINGRESP:
		return SideServer
	case DISCONNECT:
		if v != V5 {
			return SideClient
		}
	}
	return SideUnknown
}
