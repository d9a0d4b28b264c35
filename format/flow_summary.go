package format

import (
	"fmt"
	"strings"

	"mq/flow"
	"mq/packet"
)

// topShown is how many topics and clients a summary lists.
const topShown = 5

// AppendSummary appends what a Tracker has seen in all: packets by type, handshake times, the busiest topics and clients,
// and the rules that were broken.
func AppendSummary(dst []byte, s *flow.Summary, p Palette) []byte {
	var total [2]flow.Traffic
	for _, t := range s.Types {
		for d := range t {
			total[d].Packets += t[d].Packets
			total[d].Bytes += t[d].Bytes
		}
	}
	dst = fmt.Appendf(dst, "\n%s, %s from clients (%d B), %s from servers (%d B), over %s\n", plural(int(s.Connections), "connection"),
		plural(int(total[0].Packets), "packet"), total[0].Bytes, plural(int(total[1].Packets), "packet"), total[1].Bytes, took(s.Last.Sub(s.First)))
	for t, n := range s.Types {
		if n[0].Packets+n[1].Packets > 0 {
			dst = fmt.Appendf(dst, "  %-12s → %-8d ← %d\n", packet.Type(t), n[0].Packets, n[1].Packets)
		}
	}
	for _, h := range s.Handshakes {
		if h.Latency.Count == 0 && h.Incomplete == 0 {
			continue
		}
		dst = append(fmt.Appendf(dst, "  %-12s %s", h.Kind, latencyText(h.Latency)), incompleteCount(h)...)
		dst = append(dst, '\n')
	}
	if s.Deliveries > 0 {
		dst = fmt.Appendf(dst, "  %-12s %s\n", "deliveries", latencyText(s.Residence))
	}
	dst = appendTop(dst, "topics", s.Topics)
	dst = appendTop(dst, "clients", s.Clients)
	if n := s.Resent[0] + s.Resent[1]; n > 0 {
		dst = fmt.Appendf(dst, "  sent again: %d by clients, %d by servers\n", s.Resent[0], s.Resent[1])
	}
	for _, r := range s.Rules {
		style := p.Hint
		if r.Severity == packet.SeverityError {
			style = p.Error
		}
		dst = style.Append(append(dst, "  "...), r.Severity.String())
		dst = append(fmt.Appendf(dst, " %d×%s", r.Count, safe(ruleText(r))), '\n')
	}
	return dst
}

// latencyText is how long something took: one time, or their percentiles.
func latencyText(l flow.Latency) string {
	switch l.Count {
	case 0:
		return "none completed"
	case 1:
		return "1 in " + took(l.Max)
	}
	return fmt.Sprintf("%d in %s (p50), %s (p90), %s (p99), %s (longest)", l.Count, took(l.P50), took(l.P90), took(l.P99), took(l.Max))
}

func incompleteCount(h flow.Handshakes) string {
	if h.Incomplete == 0 {
		return ""
	}
	return fmt.Sprintf("; %d not completed", h.Incomplete)
}

// ruleText names a broken rule.
func ruleText(r flow.RuleCount) string {
	s := ""
	if r.Rule != "" {
		s = " [" + r.Rule + "]"
	}
	if r.Version != 0 {
		s += fmt.Sprintf(" of MQTT %s", r.Version)
	}
	if s += ": " + r.Text; r.First > 0 {
		s += fmt.Sprintf(" (first in packet %d)", r.First)
	}
	return strings.TrimPrefix(s, ":")
}

func appendTop(dst []byte, what string, top []flow.Count) []byte {
	var parts []string
	for _, c := range top[:min(len(top), topShown)] {
		about := ""
		if c.Over > 0 {
			about = "up to "
		}
		parts = append(parts, fmt.Sprintf("%s (%s%d)", safe(clip(c.Name, longestTopic)), about, c.Packets))
	}
	if len(parts) == 0 {
		return dst
	}
	return fmt.Appendf(dst, "  top %s: %s\n", what, strings.Join(parts, ", "))
}
