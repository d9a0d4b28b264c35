package tap

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"mq/packet"
)

// Action is what a fault does to a packet.
type Action byte

// The actions.
const (
	FaultDrop      Action = iota + 1 // the packet is not forwarded
	FaultDelay                       // the packet, and what follows it in its direction, is forwarded later
	FaultDuplicate                   // the packet is forwarded twice
	FaultCut                         // the packet is forwarded and the connection closed
	FaultTruncate                    // the first part of the packet is forwarded and the connection closed
	FaultReason                      // the packet is forwarded with another reason code
)

var actionNames = [...]string{"", "drop", "delay", "duplicate", "cut", "truncate", "reason"}

// String returns the word that a rule begins with, or "Action(n)" for a value that has none.
func (a Action) String() string {
	if a > 0 && int(a) < len(actionNames) {
		return actionNames[a]
	}
	return fmt.Sprintf("Action(%d)", byte(a))
}

// FaultRule says which packets suffer what. ParseFault reads one.
type FaultRule struct {
	// Action is what happens.
	Action Action
	// Type is the type of the packets concerned, 0 for any.
	Type packet.Type
	// QoS is the QoS of the PUBLISH packets concerned, negative for any.
	QoS int
	// Direction is where they go, DirUnknown for either way.
	Direction packet.Direction
	// Probability is how many of them are hit, over 0 to 1.
	Probability float64
	// After is, for FaultCut, how many of them pass: the last of them is followed by the cut. It counts per connection.
	After int
	// Delay is for how long FaultDelay holds them back.
	Delay time.Duration
	// Code is what FaultReason puts in.
	Code packet.ReasonCode
	// Text is the rule as it was typed.
	Text string
}

// String returns the rule as it was typed.
func (r *FaultRule) String() string { return r.Text }

// Fault is a fault that was injected.
type Fault struct {
	// Rule is the rule that asked for it.
	Rule *FaultRule
	// Offset is the position, in the stream as it was sent, of the packet it was done to.
	Offset int64
	// Forwarded is, for FaultTruncate, how many bytes of the packet were forwarded.
	Forwarded int
}

// String says what was done.
func (f Fault) String() string {
	switch r := f.Rule; r.Action {
	case FaultDrop:
		return "dropped"
	case FaultDelay:
		return fmt.Sprintf("delayed by %v", r.Delay)
	case FaultDuplicate:
		return "sent twice"
	case FaultCut:
		return "connection cut after it"
	case FaultTruncate:
		return fmt.Sprintf("cut off after %d bytes, connection closed", f.Forwarded)
	case FaultReason:
		return fmt.Sprintf("reason code replaced by %s (0x%02x)", r.Code.In(r.Type), byte(r.Code))
	default:
		return r.Action.String()
	}
}

// FaultHelp describes the language of fault rules in one line.
const FaultHelp = "ACTION [after N] [TYPE] [q0|q1|q2] [c2s|s2c] [10%|1/20] [ARGUMENT], where ACTION is drop, delay 2s, duplicate, cut, truncate or reason 0x97"

// ParseFault reads a rule:
//
//	drop PUBACK 10%
//	delay PUBCOMP 2s
//	duplicate PUBLISH q1 1/20
//	cut after 5 PUBLISH
//	truncate PUBLISH 1% s2c
//	reason PUBACK 0x97
//
// The words after the action may come in any order. Without a share, every packet is hit. The error is an *Error.
func ParseFault(text string) (*FaultRule, error) {
	r := &FaultRule{QoS: -1, Probability: 1, Text: strings.Join(strings.Fields(text), " ")}
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, faultError(text, "it is empty")
	}
	for a, name := range actionNames {
		if a > 0 && strings.EqualFold(words[0], name) {
			r.Action = Action(a)
		}
	}
	if r.Action == 0 {
		return nil, faultError(text, fmt.Sprintf("no action %q", words[0]))
	}
	seen := map[string]bool{}
	for i := 1; i < len(words); i++ {
		w := words[i]
		if strings.EqualFold(w, "after") && i+1 < len(words) {
			i++
			w += " " + words[i]
		}
		what, err := r.word(w)
		if err != nil {
			return nil, faultError(text, err.Error())
		}
		if seen[what] {
			return nil, faultError(text, fmt.Sprintf("a second %s, %q", what, w))
		}
		seen[what] = true
	}
	if why := r.check(seen); why != "" {
		return nil, faultError(text, why)
	}
	return r, nil
}

func faultError(text, why string) error {
	return &Error{What: fmt.Sprintf("fault %q: %s", text, why), hints: []string{"a fault is " + FaultHelp}}
}

// word takes one word of a rule and returns what it is.
func (r *FaultRule) word(w string) (string, error) {
	lower := strings.ToLower(w)
	for t := packet.CONNECT; t <= packet.AUTH; t++ {
		if strings.EqualFold(w, t.String()) {
			r.Type = t
			return "packet type", nil
		}
	}
	switch lower {
	case "any", "*":
		return "packet type", nil
	case "q0", "q1", "q2":
		r.QoS = int(lower[1] - '0')
		return "QoS", nil
	case "c2s":
		r.Direction = packet.ClientToServer
		return "direction", nil
	case "s2c":
		r.Direction = packet.ServerToClient
		return "direction", nil
	}
	if n, ok := strings.CutPrefix(lower, "after "); ok {
		v, err := strconv.Atoi(n)
		if err != nil || v < 1 {
			return "", fmt.Errorf("%q is no count", n)
		}
		r.After = v
		return "count", nil
	}
	if n, ok := strings.CutPrefix(lower, "0x"); ok {
		v, err := strconv.ParseUint(n, 16, 8)
		if err != nil {
			return "", fmt.Errorf("%q is no reason code", w)
		}
		r.Code = packet.ReasonCode(v)
		return "reason code", nil
	}
	if p, ok := parseShare(lower); ok {
		r.Probability = p
		return "share", nil
	}
	if d, err := time.ParseDuration(lower); err == nil && d > 0 {
		r.Delay = d
		return "delay", nil
	}
	return "", fmt.Errorf("%q is not understood", w)
}

// parseShare reads 10% or 1/20.
func parseShare(s string) (float64, bool) {
	a, b := s, "100"
	if n, ok := strings.CutSuffix(s, "%"); ok {
		a = n
	} else if x, y, ok := strings.Cut(s, "/"); ok {
		a, b = x, y
	} else {
		return 0, false
	}
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	p := x / y
	return p, err1 == nil && err2 == nil && p > 0 && p <= 1 && !math.IsNaN(p)
}

// check reports what is wrong with a rule that was read, "" if nothing is.
func (r *FaultRule) check(seen map[string]bool) string {
	needs := map[string]bool{"delay": r.Action == FaultDelay, "reason code": r.Action == FaultReason}
	for what, need := range needs {
		switch {
		case need && !seen[what]:
			return fmt.Sprintf("%s needs a %s", r.Action, what)
		case !need && seen[what]:
			return fmt.Sprintf("%s takes no %s", r.Action, what)
		}
	}
	switch {
	case seen["count"] && r.Action != FaultCut:
		return fmt.Sprintf("%s takes no count", r.Action)
	case r.QoS >= 0 && r.Type != packet.PUBLISH:
		return "only PUBLISH has a QoS"
	case r.Action == FaultReason && !hasReason(r.Type):
		return fmt.Sprintf("reason needs a packet type with a reason code, and %v has none", typeOrAny(r.Type))
	}
	return ""
}

func typeOrAny(t packet.Type) string {
	if t == 0 {
		return "any"
	}
	return t.String()
}

func hasReason(t packet.Type) bool {
	switch t {
	case packet.CONNACK, packet.PUBACK, packet.PUBREC, packet.PUBREL, packet.PUBCOMP, packet.SUBACK, packet.UNSUBACK,
		packet.DISCONNECT, packet.AUTH:
		return true
	}
	return false
}

// matches reports whether a packet is of the kind that the rule is about.
func (r *FaultRule) matches(d packet.Direction, raw []byte) bool {
	t := packet.Type(raw[0] >> 4)
	return (r.Type == 0 || r.Type == t) && (r.Direction == packet.DirUnknown || r.Direction == d) &&
		(r.QoS < 0 || r.QoS == int(raw[0]>>1&3))
}
