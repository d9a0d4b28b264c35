package format

import (
	"encoding/base64"
	"time"
	"unicode/utf8"

	"mq/flow"
	"mq/packet"
)

// propertyJSON is the value of a property: a number, text, base64 of binary data that is no text, or a pair.
func propertyJSON(p packet.Property, showSecrets bool) any {
	info, _ := p.ID.Info()
	switch {
	case info.Type == packet.PropPair:
		return [2]string{string(p.Bytes), string(p.Value)}
	case p.ID == packet.PropAuthenticationData && !showSecrets:
		return "•••"
	case info.Type == packet.PropBinary && !utf8.Valid(p.Bytes):
		return map[string]string{"base64": base64.StdEncoding.EncodeToString(p.Bytes)}
	case info.Type == packet.PropString || info.Type == packet.PropBinary:
		return string(p.Bytes)
	}
	return p.Uint
}

type jsonDiagnostic struct {
	Type       string    `json:"type"`
	Severity   string    `json:"severity"`
	Rule       string    `json:"rule,omitempty"`
	Version    string    `json:"version,omitempty"`
	Key        string    `json:"key"`
	Text       string    `json:"text"`
	Detail     string    `json:"detail,omitempty"`
	Connection int       `json:"connection"`
	Client     string    `json:"client,omitempty"`
	Time       time.Time `json:"time,omitzero"`
	Packet     int64     `json:"packet,omitempty"`
	Related    int64     `json:"related,omitempty"`
	Field      string    `json:"field,omitempty"`
	Start      int       `json:"start,omitempty"`
	End        int       `json:"end,omitempty"`
	Side       string    `json:"side,omitempty"`
	Code       byte      `json:"answer_code,omitempty"`
	Answer     string    `json:"answer,omitempty"`
}

func diagnosticObject(d *flow.Diagnostic) *jsonDiagnostic {
	o := &jsonDiagnostic{Type: "diagnostic", Severity: d.Severity.String(), Rule: d.Rule, Key: d.Key, Text: d.Text, Detail: d.Detail,
		Connection: d.ConnNumber, Client: d.ClientID, Time: d.Time, Packet: d.Packet, Related: d.Related, Field: d.Field, Start: d.Start, End: d.End}
	if d.Version != 0 {
		o.Version = d.Version.String()
	}
	if d.Side != packet.SideUnknown {
		o.Side = d.Side.String()
	}
	if d.Code != 0 {
		o.Code, o.Answer = byte(d.Code), d.Code.String()
	}
	return o
}

type jsonConnection struct {
	Type       string        `json:"type"`
	Event      string        `json:"event"`
	Connection int           `json:"connection"`
	Time       time.Time     `json:"time"`
	ClientAddr string        `json:"client_address"`
	ServerAddr string        `json:"server_address"`
	Version    string        `json:"version,omitempty"`
	Inferred   bool          `json:"version_inferred,omitempty"`
	Client     string        `json:"client,omitempty"`
	Assigned   bool          `json:"client_assigned,omitempty"`
	Limits     *jsonLimits   `json:"limits,omitempty"`
	Reason     string        `json:"reason,omitempty"`
	By         string        `json:"by,omitempty"`
	Normal     bool          `json:"normal,omitempty"`
	Missing    int64         `json:"missing,omitempty"`
	Duration   time.Duration `json:"duration_ns,omitempty"`
	Packets    *[2]int64     `json:"packets,omitempty"`
	Bytes      *[2]int64     `json:"bytes,omitempty"`
}

func connectionObject(e *flow.ConnectionEvent) *jsonConnection {
	o := &jsonConnection{Type: "connection", Event: e.Kind.String(), Connection: e.Number, Time: e.Time, ClientAddr: e.Meta.Client, ServerAddr: e.Meta.Server,
		Inferred: e.Inferred, Client: e.ClientID, Assigned: e.Assigned, Reason: e.Words, Missing: e.Missing, Duration: e.Duration}
	if e.Version != 0 {
		o.Version = e.Version.String()
	}
	switch e.Kind {
	case flow.ConnEstablished:
		o.Limits = limitsObject(&e.Limits)
	case flow.ConnClosed:
		o.By, o.Normal, o.Packets, o.Bytes = e.By.String(), e.Normal, &e.Packets, &e.Bytes
	}
	return o
}

type jsonFlow struct {
	Type       string        `json:"type"`
	Number     int64         `json:"number"`
	Kind       string        `json:"kind"`
	Connection int           `json:"connection"`
	Client     string        `json:"client,omitempty"`
	Direction  string        `json:"direction"`
	PacketID   uint16        `json:"packet_id,omitempty"`
	Topic      string        `json:"topic,omitempty"`
	Steps      []jsonStep    `json:"steps"`
	Total      time.Duration `json:"total_ns"`
	Outcome    string        `json:"outcome"`
	Reason     string        `json:"reason,omitempty"`
	Resent     int           `json:"resent,omitempty"`
}

type jsonStep struct {
	Packet int64     `json:"packet"`
	Type   string    `json:"type"`
	Time   time.Time `json:"time"`
}

func flowObject(f *flow.FlowEvent) *jsonFlow {
	o := &jsonFlow{Type: "flow", Number: f.Number, Kind: f.Kind.String(), Connection: f.ConnNumber, Client: f.ClientID, Direction: f.Dir.String(),
		PacketID: f.PacketID, Topic: string(f.Topic), Total: f.Total, Outcome: f.Outcome.String(), Reason: f.Words, Resent: f.Resent}
	for _, s := range f.Steps {
		o.Steps = append(o.Steps, jsonStep{s.Packet, s.Type.String(), s.Time})
	}
	return o
}

// jsonFault is a "fault" event: what a proxy did to the packet before it.
type jsonFault struct {
	Type       string    `json:"type"`
	Connection int       `json:"connection"`
	Packet     int64     `json:"packet"`
	Direction  string    `json:"direction"`
	Time       time.Time `json:"time"`
	Rule       string    `json:"rule"`
	Text       string    `json:"text"`
}

func faultObject(f *Fault) *jsonFault {
	return &jsonFault{Type: "fault", Connection: f.ConnNumber, Packet: f.Packet, Direction: f.Dir.String(), Time: f.Time, Rule: f.Rule, Text: f.Text}
}
