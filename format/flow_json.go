package format

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"time"
	"unicode/utf8"

	"mq/flow"
	"mq/packet"
)

// FlowJSON writes the events of a flow.Tracker as JSON Lines: an object an event, told apart by "type". Fields are only
// ever added. It is not for concurrent use.
type FlowJSON struct {
	w           io.Writer
	showSecrets bool
	buf         bytes.Buffer
	line        []byte
	err         error
}

// NewFlowJSON returns a FlowJSON on w. Passwords and authentication data are masked unless showSecrets is set.
func NewFlowJSON(w io.Writer, showSecrets bool) *FlowJSON {
	return &FlowJSON{w: w, showSecrets: showSecrets}
}

// Err returns the first error of the writer.
func (j *FlowJSON) Err() error { return j.err }

// Event writes one event.
func (j *FlowJSON) Event(e flow.Event) {
	var v any
	switch e := e.(type) {
	case *flow.PacketEvent:
		v = j.packet(e)
	case *flow.Diagnostic:
		v = diagnosticObject(e)
	case *flow.ConnectionEvent:
		v = connectionObject(e)
	case *flow.FlowEvent:
		v = flowObject(e)
	case *flow.Summary:
		v = summaryObject(e)
	}
	j.write(v)
}

// Fault writes a fault that was injected.
func (j *FlowJSON) Fault(f *Fault) { j.write(faultObject(f)) }

// write writes an object on a line, with what could disturb a terminal escaped.
func (j *FlowJSON) write(v any) {
	if v == nil || j.err != nil {
		return
	}
	j.buf.Reset()
	enc := json.NewEncoder(&j.buf)
	enc.SetEscapeHTML(false)
	if j.err = enc.Encode(v); j.err == nil {
		j.line = append(appendCompact(j.line[:0], j.buf.Bytes()), '\n')
		_, j.err = j.w.Write(j.line)
	}
}

// jsonPacket is a "packet" event. Fields that the packet does not have are left out.
type jsonPacket struct {
	Type       string      `json:"type"`
	Number     int64       `json:"number"`
	Connection int         `json:"connection"`
	Client     string      `json:"client,omitempty"`
	Direction  string      `json:"direction"`
	Time       time.Time   `json:"time,omitzero"`
	Offset     int64       `json:"offset"`
	Length     int         `json:"length"`
	Version    string      `json:"version,omitempty"`
	Packet     string      `json:"packet"`
	PacketID   uint16      `json:"packet_id,omitempty"`
	QoS        *packet.QoS `json:"qos,omitempty"`
	Dup        bool        `json:"dup,omitempty"`
	Retain     bool        `json:"retain,omitempty"`
	Topic      *string     `json:"topic,omitempty"`
	Aliased    bool        `json:"topic_by_alias,omitempty"`
	jsonBytes
	ClientID       *string       `json:"client_identifier,omitempty"`
	CleanStart     *bool         `json:"clean_start,omitempty"`
	KeepAlive      *uint16       `json:"keep_alive,omitempty"`
	UserName       *string       `json:"user_name,omitempty"`
	Password       *string       `json:"password,omitempty"`
	Will           *jsonWill     `json:"will,omitempty"`
	SessionPresent *bool         `json:"session_present,omitempty"`
	Code           *byte         `json:"reason_code,omitempty"`
	Reason         string        `json:"reason,omitempty"`
	Filters        []jsonFilter  `json:"filters,omitempty"`
	Codes          []byteNumber  `json:"reason_codes,omitempty"`
	Properties     [][2]any      `json:"properties,omitempty"`
	Resent         bool          `json:"resent,omitempty"`
	Flow           int64         `json:"flow,omitempty"`
	Step           int           `json:"step,omitempty"`
	Origin         int64         `json:"origin,omitempty"`
	Residence      time.Duration `json:"residence_ns,omitempty"`
	Copy           int           `json:"copy,omitempty"`
	Error          string        `json:"error,omitempty"`
}

// jsonBytes is a payload: text, or base64 where it is not UTF-8.
type jsonBytes struct {
	Payload       *string `json:"payload,omitempty"`
	PayloadBase64 *string `json:"payload_base64,omitempty"`
}

type jsonWill struct {
	Topic  string     `json:"topic"`
	QoS    packet.QoS `json:"qos"`
	Retain bool       `json:"retain,omitempty"`
	jsonBytes
}

type jsonFilter struct {
	Filter string     `json:"filter"`
	QoS    packet.QoS `json:"qos"`
}

// byteNumber keeps encoding/json from writing a list of codes as base64.
type byteNumber uint16

func payloadOf(b []byte) jsonBytes {
	if utf8.Valid(b) {
		s := string(b)
		return jsonBytes{Payload: &s}
	}
	s := base64.StdEncoding.EncodeToString(b)
	return jsonBytes{PayloadBase64: &s}
}

func (j *FlowJSON) packet(e *flow.PacketEvent) *jsonPacket {
	o := &jsonPacket{Type: "packet", Number: e.Number, Connection: e.ConnNumber, Client: e.ClientID, Direction: e.Dir.String(), Time: e.Time,
		Offset: e.Offset, Length: len(e.Raw), Packet: e.Type.String(), Resent: e.Resent, Flow: e.Flow, Step: e.Step, Origin: e.Origin, Residence: e.Residence, Copy: e.Copy}
	if e.Version != 0 {
		o.Version = e.Version.String()
	}
	if e.Err != nil {
		o.Error = e.Err.Error()
	}
	switch p := e.Packet.(type) {
	case *packet.Publish:
		topic := string(e.Topic)
		o.PacketID, o.QoS, o.Dup, o.Retain, o.Topic, o.Aliased = p.PacketID, &p.QoS, p.Dup, p.Retain, &topic, e.Aliased
		o.jsonBytes, o.Properties = payloadOf(p.Payload), j.properties(p.Properties)
	case *packet.Connect:
		j.connect(o, p)
	case *packet.Connack:
		code := byte(p.ReasonCode)
		if p.ReturnCode != 0 {
			code = byte(p.ReturnCode)
		}
		o.SessionPresent, o.Code, o.Reason, o.Properties = &p.SessionPresent, &code, p.Why(), j.properties(p.Properties)
	case *packet.Subscribe:
		o.PacketID, o.Properties = p.PacketID, j.properties(p.Properties)
		for _, s := range p.Subscriptions {
			o.Filters = append(o.Filters, jsonFilter{s.Filter, s.QoS})
		}
	case *packet.Unsubscribe:
		o.PacketID, o.Properties = p.PacketID, j.properties(p.Properties)
		for _, f := range p.Filters {
			o.Filters = append(o.Filters, jsonFilter{Filter: f})
		}
	default:
		j.answer(o, e)
	}
	return o
}

func (j *FlowJSON) connect(o *jsonPacket, p *packet.Connect) {
	o.ClientID, o.CleanStart, o.KeepAlive, o.Properties = &p.ClientID, &p.CleanStart, &p.KeepAlive, j.properties(p.Properties)
	if p.HasUserName {
		o.UserName = &p.UserName
	}
	if p.HasPassword {
		s := "•••"
		if j.showSecrets {
			s = string(p.Password)
		}
		o.Password = &s
	}
	if w := p.Will; w != nil {
		o.Will = &jsonWill{Topic: w.Topic, QoS: w.QoS, Retain: w.Retain, jsonBytes: payloadOf(w.Payload)}
	}
}

// answer fills in packets that are an identifier and codes.
func (j *FlowJSON) answer(o *jsonPacket, e *flow.PacketEvent) {
	code := func(id uint16, c packet.ReasonCode, props packet.Properties) {
		o.PacketID, o.Properties = id, j.properties(props)
		if e.Version == packet.V5 {
			b := byte(c)
			o.Code, o.Reason = &b, c.String()
		}
	}
	codes := func(list []packet.ReasonCode) {
		for _, c := range list {
			o.Codes = append(o.Codes, byteNumber(c))
		}
	}
	switch p := e.Packet.(type) {
	case *packet.Puback:
		code(p.PacketID, p.ReasonCode, p.Properties)
	case *packet.Pubrec:
		code(p.PacketID, p.ReasonCode, p.Properties)
	case *packet.Pubrel:
		code(p.PacketID, p.ReasonCode, p.Properties)
	case *packet.Pubcomp:
		code(p.PacketID, p.ReasonCode, p.Properties)
	case *packet.Suback:
		o.PacketID, o.Properties = p.PacketID, j.properties(p.Properties)
		codes(p.Codes)
	case *packet.Unsuback:
		o.PacketID, o.Properties = p.PacketID, j.properties(p.Properties)
		codes(p.Codes)
	case *packet.Disconnect:
		code(0, p.ReasonCode, p.Properties)
	case *packet.Auth:
		code(0, p.ReasonCode, p.Properties)
	}
}

// properties lists properties as pairs of name and value, in the order of the wire.
func (j *FlowJSON) properties(props packet.Properties) [][2]any {
	var out [][2]any
	for p := range props.All() {
		out = append(out, [2]any{p.ID.String(), propertyJSON(p, j.showSecrets)})
	}
	return out
}
