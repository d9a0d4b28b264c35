package format

import (
	"time"

	"mq/flow"
	"mq/packet"
)

// jsonLimits are what the two sides of a connection agreed on.
type jsonLimits struct {
	KeepAlive      float64 `json:"keep_alive_s"`
	ServerKeep     bool    `json:"server_keep_alive,omitempty"`
	CleanStart     bool    `json:"clean_start"`
	SessionPresent bool    `json:"session_present"`
	SessionExpiry  uint32  `json:"session_expiry_s"`
	ReceiveMaximum [2]int  `json:"receive_maximum"`
	MaximumPacket  [2]int  `json:"maximum_packet_size"`
	AliasMaximum   [2]int  `json:"topic_alias_maximum"`
	MaximumQoS     byte    `json:"maximum_qos"`
}

// limitsObject has the limits that the client set before those of the server.
func limitsObject(l *flow.Limits) *jsonLimits {
	return &jsonLimits{KeepAlive: l.KeepAlive.Seconds(), ServerKeep: l.ServerKeepAlive, CleanStart: l.CleanStart, SessionPresent: l.SessionPresent,
		SessionExpiry: l.SessionExpiry, MaximumQoS: byte(l.MaximumQoS),
		ReceiveMaximum: [2]int{int(l.ClientReceiveMaximum), int(l.ServerReceiveMaximum)},
		MaximumPacket:  [2]int{int(l.ClientMaximumPacket), int(l.ServerMaximumPacket)},
		AliasMaximum:   [2]int{int(l.ClientAliasMaximum), int(l.ServerAliasMaximum)}}
}

// jsonSummary is the last event. Pairs are of the clients and of the servers.
type jsonSummary struct {
	Type        string          `json:"type"`
	First       time.Time       `json:"first,omitzero"`
	Last        time.Time       `json:"last,omitzero"`
	Connections int64           `json:"connections"`
	Packets     []jsonTraffic   `json:"packets"`
	Handshakes  []jsonHandshake `json:"handshakes"`
	Deliveries  int64           `json:"deliveries"`
	Residence   *jsonLatency    `json:"residence,omitempty"`
	Topics      []jsonCount     `json:"topics"`
	Clients     []jsonCount     `json:"clients"`
	Resent      [2]int64        `json:"resent"`
	Rules       []jsonRule      `json:"rules"`
	Errors      int64           `json:"errors"`
	Warnings    int64           `json:"warnings"`
	Notes       int64           `json:"notes"`
	Broken      int64           `json:"broken"`
	Gaps        int64           `json:"gaps"`
	Untracked   int64           `json:"untracked"`
}

type jsonTraffic struct {
	Packet  string   `json:"packet"`
	Packets [2]int64 `json:"packets"`
	Bytes   [2]int64 `json:"bytes"`
}

type jsonHandshake struct {
	Kind       string       `json:"kind"`
	Incomplete int64        `json:"incomplete"`
	Latency    *jsonLatency `json:"latency,omitempty"`
}

type jsonLatency struct {
	Count int64         `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	Max   time.Duration `json:"max_ns"`
}

type jsonCount struct {
	Name    string `json:"name"`
	Packets int64  `json:"packets"`
	Bytes   int64  `json:"bytes"`
	Over    int64  `json:"over,omitempty"`
}

type jsonRule struct {
	Severity string `json:"severity"`
	Rule     string `json:"rule,omitempty"`
	Version  string `json:"version,omitempty"`
	Key      string `json:"key"`
	Text     string `json:"text"`
	Count    int64  `json:"count"`
	First    int64  `json:"first_packet,omitempty"`
}

func summaryObject(s *flow.Summary) *jsonSummary {
	o := &jsonSummary{Type: "summary", First: s.First, Last: s.Last, Connections: s.Connections, Packets: []jsonTraffic{}, Handshakes: []jsonHandshake{},
		Deliveries: s.Deliveries, Residence: latencyObject(s.Residence), Topics: countObjects(s.Topics), Clients: countObjects(s.Clients),
		Resent: s.Resent, Rules: []jsonRule{}, Errors: s.Findings[packet.SeverityError], Warnings: s.Findings[packet.SeverityWarning],
		Notes: s.Findings[packet.SeverityNote], Broken: s.Broken, Gaps: s.Gaps, Untracked: s.Untracked}
	for t, n := range s.Types {
		if n[0].Packets+n[1].Packets > 0 {
			o.Packets = append(o.Packets, jsonTraffic{packet.Type(t).String(), [2]int64{n[0].Packets, n[1].Packets}, [2]int64{n[0].Bytes, n[1].Bytes}})
		}
	}
	for _, h := range s.Handshakes {
		o.Handshakes = append(o.Handshakes, jsonHandshake{h.Kind.String(), h.Incomplete, latencyObject(h.Latency)})
	}
	for _, r := range s.Rules {
		j := jsonRule{Severity: r.Severity.String(), Rule: r.Rule, Key: r.Key, Text: r.Text, Count: r.Count, First: r.First}
		if r.Version != 0 {
			j.Version = r.Version.String()
		}
		o.Rules = append(o.Rules, j)
	}
	return o
}

func latencyObject(l flow.Latency) *jsonLatency {
	if l.Count == 0 {
		return nil
	}
	return &jsonLatency{l.Count, l.P50, l.P90, l.P99, l.Max}
}

func countObjects(list []flow.Count) []jsonCount {
	out := make([]jsonCount, 0, len(list))
	for _, c := range list {
		out = append(out, jsonCount{c.Name, c.Packets, c.Bytes, c.Over})
	}
	return out
}
