package flow

import (
	"cmp"
	"slices"
	"time"

	"mq/packet"
)

// Traffic counts packets and their bytes.
type Traffic struct{ Packets, Bytes int64 }

// Count is how often a name came up. Over is how much of Packets may belong to others, when there were too many names.
type Count struct {
	Name                 string
	Packets, Bytes, Over int64
}

// RuleCount is how often a rule was broken.
type RuleCount struct {
	Key, Rule string
	Version   packet.Version
	Severity  packet.Severity
	Text      string
	Count     int64
	// First is the number of the first packet it was about.
	First int64
}

// Handshakes describes the handshakes of one kind. Latency is of those that ended.
type Handshakes struct {
	Kind       Kind
	Latency    Latency
	Incomplete int64
}

// Summary is what a Tracker has seen in all. Arrays of two are by sender: the clients, the servers.
type Summary struct {
	First, Last time.Time
	Connections int64
	Types       [16][2]Traffic
	// QoS counts PUBLISH packets.
	QoS        [2][3]int64
	Handshakes []Handshakes
	// Residence is how long brokers held what they delivered, Deliveries how many copies were matched.
	Residence  Latency
	Deliveries int64
	Topics     []Count
	Clients    []Count
	Resent     [2]int64
	Rules      []RuleCount
	Findings   [4]int64 // by severity
	// Broken counts stretches of bytes that could not be framed, Gaps those that were missing, Untracked handshakes that
	// were not followed because there were too many.
	Broken, Gaps, Untracked int64
}

// counters is what the Summary is made of.
type counters struct {
	types       [16][2]Traffic
	qos         [2][4]int64
	latency     [kinds]histogram
	residence   histogram
	incomplete  [kinds]int64
	deliveries  int64
	topics      *topCounter
	clients     *topCounter
	resent      [2]int64
	rules       map[ruleName]*RuleCount
	found       [4]int64
	connections int64
	broken      int64
	gaps        int64
	untracked   int64
	firstAt     int64
	lastAt      int64
}

type ruleName struct {
	key     string
	version packet.Version
}

func (s *counters) init(topics int) {
	s.topics, s.clients = newTopCounter(topics), newTopCounter(topics)
	s.rules = make(map[ruleName]*RuleCount)
}

func (s *counters) diagnosed(d *Diagnostic) {
	s.found[d.Severity&3]++
	n := ruleName{d.Key, d.Version}
	r := s.rules[n]
	if r == nil {
		r = &RuleCount{Key: d.Key, Rule: d.Rule, Version: d.Version, Severity: d.Severity, Text: d.Text, First: d.Packet}
		s.rules[n] = r
	}
	r.Count++
}

// clientDone adds the traffic of a connection to its client's.
func (s *counters) clientDone(t *Tracker, c *conn) {
	if c.clientID == "" {
		return
	}
	slot := s.clients.get(t.hashString(c.clientID), []byte(c.clientID))
	slot.count += c.packets[0] + c.packets[1]
	slot.bytes += c.bytes[0] + c.bytes[1]
}

const topNames = 20

// Summary returns what was counted so far; connections that are open count as clients when they close. It is a copy.
func (t *Tracker) Summary() *Summary {
	s := &t.sum
	out := &Summary{
		Connections: s.connections, Types: s.types, Residence: s.residence.latency(), Deliveries: s.deliveries,
		Topics: s.topics.top(topNames), Clients: s.clients.top(topNames), Resent: s.resent, Findings: s.found,
		Broken: s.broken, Gaps: s.gaps, Untracked: s.untracked,
	}
	if s.firstAt != 0 {
		out.First, out.Last = t.timeOf(s.firstAt), t.timeOf(s.lastAt)
	}
	for d := range s.qos {
		copy(out.QoS[d][:], s.qos[d][:3])
	}
	for k := KindConnect; k < kinds; k++ {
		if s.latency[k].n > 0 || s.incomplete[k] > 0 {
			out.Handshakes = append(out.Handshakes, Handshakes{k, s.latency[k].latency(), s.incomplete[k]})
		}
	}
	for _, r := range s.rules {
		out.Rules = append(out.Rules, *r)
	}
	slices.SortFunc(out.Rules, func(a, b RuleCount) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Version, b.Version))
	})
	return out
}
