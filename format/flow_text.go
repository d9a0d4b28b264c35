package format

import (
	"fmt"
	"strings"
	"time"

	"mq/flow"
	"mq/packet"
)

// Fault is a fault that a proxy injected into a packet.
type Fault struct {
	// Packet is the number of the packet it was done to.
	Packet     int64
	ConnNumber int
	Dir        packet.Direction
	Time       time.Time
	// Rule is the rule that asked for it, Text what was done.
	Rule, Text string
}

// Long texts are cut in a line, but not in the tree: a topic may have 65,535 bytes.
const (
	longestTopic = 120
	longestLine  = 400
)

func typeName(e *flow.PacketEvent) string {
	if e.Packet == nil && e.Err != nil {
		return "(broken)"
	}
	return e.Type.String()
}

// describe is what matters of the packet's fields, and what the flow knows beyond them.
func (p *FlowPrinter) describe(e *flow.PacketEvent) (text, remarks string) {
	if e.Err != nil { // the values before the break are in the tree
		return clip(safe(e.Err.Error()), longestLine), ""
	}
	switch pk := e.Packet.(type) {
	case nil:
	case *packet.Publish:
		text = publishText(pk, e.Topic, e.Aliased)
	case *packet.Connack:
		if text = packetFields(pk); e.Completes != nil && e.Completes.Outcome == flow.Refused {
			text = "refused: " + safe(e.Completes.Words)
		}
	case *packet.Disconnect:
		text = codeText(pk.ReasonCode, packet.DISCONNECT)
	case *packet.Auth:
		text = codeText(pk.ReasonCode, packet.AUTH)
	default:
		text = packetFields(pk)
	}
	var parts []string
	if e.Resent {
		parts = append(parts, "sent again")
	}
	if e.Origin > 0 && e.Copy > 0 {
		s := fmt.Sprintf("from packet %d in %s", e.Origin, took(e.Residence))
		if e.Copy > 1 {
			s += fmt.Sprintf(", copy %d", e.Copy)
		}
		parts = append(parts, s)
	}
	if e.Completes != nil {
		parts = append(parts, outcomeText(e.Completes))
	}
	return clip(text, longestLine), strings.Join(parts, "  ")
}

// codeText is a reason code in words, with its number when it is a failure.
func codeText(c packet.ReasonCode, t packet.Type) string {
	if c.Failed() && c.Known() {
		return fmt.Sprintf("%s (0x%02x)", c.In(t), byte(c))
	}
	return c.In(t)
}

// clip cuts a long text; what is safe stays so.
func clip(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i] + "…"
		}
	}
	return s
}

// took is shortDuration for a time that is there even when it is too short to be seen.
func took(d time.Duration) string {
	if d <= 0 {
		return "0 µs"
	}
	return shortDuration(d)
}

// outcomeText says how a handshake ended.
func outcomeText(f *flow.FlowEvent) string {
	in := "in " + took(f.Total)
	switch {
	case f.Kind == flow.KindConnect: // the packet's own fields say the rest
	case f.Outcome == flow.Refused && (f.Kind == flow.KindSubscribe || f.Kind == flow.KindUnsubscribe):
		return safe(f.Words) + ", " + in
	case f.Outcome == flow.Refused:
		return "refused " + in
	case f.Kind == flow.KindQoS2:
		return "exactly once " + in
	case f.Kind == flow.KindQoS1:
		return "at least once " + in
	case f.Kind == flow.KindRequest:
		return fmt.Sprintf("answers packet %d %s", f.Steps[0].Packet, in)
	}
	return in
}

// incompleteText says which handshake was not completed, and how far it went.
func incompleteText(f *flow.FlowEvent) string {
	s := ": " + f.Kind.String()
	if len(f.Topic) > 0 {
		s += " " + clip(string(f.Topic), longestTopic)
	}
	if f.PacketID != 0 {
		s += fmt.Sprintf(" id=%d", f.PacketID)
	}
	if n := len(f.Steps); n > 0 {
		s += fmt.Sprintf(" of packet %d, %s was the last", f.Steps[0].Packet, f.Steps[n-1].Type)
	}
	return s
}

// diagnosticText is the rule, what happened, where, whose fault it is and what the answer should have been.
func diagnosticText(d *flow.Diagnostic) string {
	var b strings.Builder
	if d.Rule != "" {
		fmt.Fprintf(&b, " [%s]", d.Rule)
	}
	if d.Version != 0 {
		fmt.Fprintf(&b, " of MQTT %s", d.Version)
	}
	fmt.Fprintf(&b, ": %s", d.Text)
	var details []string
	if d.Detail != "" {
		details = append(details, clip(d.Detail, longestLine))
	}
	if d.Packet != 0 {
		details = append(details, fmt.Sprintf("packet %d", d.Packet))
	}
	if d.End > d.Start {
		details = append(details, byteWord(d.Start, d.End))
	}
	if d.Side != packet.SideUnknown {
		details = append(details, fmt.Sprintf("the %s is at fault", d.Side))
	}
	if d.Code != 0 {
		details = append(details, fmt.Sprintf("the answer is %s (0x%02x)", d.Code, byte(d.Code)))
	}
	if len(details) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(details, "; "))
	}
	return b.String()
}

// connectionText tells what changed in the life of a connection; what the packets' own lines say is left out.
func connectionText(e *flow.ConnectionEvent) string {
	switch e.Kind {
	case flow.ConnOpened:
		return fmt.Sprintf("%s → %s opened", e.Meta.Client, e.Meta.Server)
	case flow.ConnInferred:
		return fmt.Sprintf("CONNECT was not seen; taken for MQTT %s", e.Version)
	case flow.ConnGap:
		return fmt.Sprintf("%s missing here", plural(int(e.Missing), "byte"))
	case flow.ConnClosed:
		return fmt.Sprintf("%s after %s; %s", closerText(e.By), took(e.Duration), trafficText(e.Packets))
	}
	return ""
}

func closerText(by flow.Closer) string {
	switch by {
	case flow.ClosedByReset:
		return "broken off by a TCP reset"
	case flow.ClosedUnknown:
		return "last seen"
	}
	return "closed by " + by.String()
}

// trafficText counts the packets of a connection; one that is encrypted has none to count.
func trafficText(n [2]int64) string {
	if n[0]+n[1] == 0 {
		return "no MQTT packet was seen"
	}
	return fmt.Sprintf("%s from the client, %d from the server", plural(int(n[0]), "packet"), n[1])
}

// publishText is publishFields with a topic of bearable length, that of the topic alias where there is one.
func publishText(p *packet.Publish, topic []byte, aliased bool) string {
	q := *p
	if aliased {
		q.Topic = topic
	}
	if len(q.Topic) > longestTopic {
		q.Topic = append(q.Topic[:longestTopic:longestTopic], "…"...)
	}
	if len(q.Topic) == 0 {
		q.Topic = []byte("(no topic)")
	}
	s := publishFields(&q)
	if aliased {
		s += "  topic by alias"
	}
	return s
}
