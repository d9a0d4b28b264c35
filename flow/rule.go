package flow

import "mq/packet"

// Rules returns every rule this package checks, in the order of the project's list of statements. Those that one packet
// alone can break are packet.Rules.
func Rules() []packet.Rule {
	list := make([]packet.Rule, 0, len(catalogue))
	for i := range catalogue {
		list = append(list, catalogue[i].rule())
	}
	return list
}

// row is a rule as the table has it.
type row struct {
	key, v311, v5 string
	severity      packet.Severity
	side          packet.Side
	// code is what a 5.0 receiver answers when the specification names it, negative when only the general rule does.
	code int
	text string
}

const (
	note    = packet.SeverityNote
	warning = packet.SeverityWarning
	failure = packet.SeverityError
	either  = packet.SideUnknown
	client  = packet.SideClient
	server  = packet.SideServer
)

// structural are the rules that hold in every version, 3.1 included, which has no statement numbers. Only they are applied
// while the version is a guess, and then as warnings at most.
var structural = map[string]bool{
	"A7": true, "C1": true, "C2": true, "C40": true, "D1": true, "E30": true, "F9": true, "F10": true, "F11": true,
	"F13": true, "G11": true, "G12": true, "G13": true, "G14": true, "G17": true, "H7": true, "H10": true, "I3": true,
	"I4": true, "J12": true, "O1": true, "O2": true,
}

func (w *row) rule() packet.Rule {
	r := packet.Rule{Key: w.key, V311: w.v311, V5: w.v5, Text: w.text, Side: w.side, Err: packet.ErrProtocol}
	if w.v311 != "" {
		r.Sev311 = w.severity
	}
	if w.v5 != "" {
		r.Sev5 = w.severity
	}
	if structural[w.key] {
		r.Sev31 = w.severity
	}
	if w.key == "M8" {
		r.Sev311 = note // 3.1.1 does not forbid it, 3.1 does it as a matter of course (annex 3, trap 22)
	}
	switch {
	case w.code > 0:
		r.Code, r.Named = packet.ReasonCode(w.code), true
	case w.code < 0:
		r.Code = packet.ReasonCode(-w.code)
	}
	return r
}

// lookup returns the rule of that key.
func lookup(key string) *row {
	for i := range catalogue {
		if catalogue[i].key == key {
			return &catalogue[i]
		}
	}
	return nil
}
