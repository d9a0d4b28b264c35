package flow

import (
	"fmt"
	"time"

	"mq/packet"
)

// Event is a *PacketEvent, *Diagnostic, *ConnectionEvent, *FlowEvent or *Summary. It and all it points to belong to the
// Tracker and are valid until the sink returns: keep copies.
type Event interface{ event() }

// PacketEvent is one control packet. The diagnostics, connection and flow events that it causes follow it.
type PacketEvent struct {
	// Number counts packets over all connections, from 1. Broken bytes have a number too.
	Number int64
	Conn   ConnID
	// ConnNumber counts connections in the order they were opened, from 1.
	ConnNumber int
	ClientID   string
	Dir        packet.Direction
	Time       time.Time
	// Delta is the time since the connection's previous packet, 0 for the first.
	Delta time.Duration
	// Offset is the position of the packet in its direction's stream. Raw is the packet and aliases what Packet was given.
	Offset int64
	Raw    []byte
	// Version is the one the packet was read by. Inferred tells that CONNECT was not seen and it was guessed.
	Version  packet.Version
	Inferred bool
	Type     packet.Type
	// Packet is what was decoded, as far as that was possible; nil when nothing was. It aliases Raw.
	Packet packet.Packet
	// Err is why the bytes are no packet, for what came through Broken; else nil.
	Err error
	// Topic is that of a PUBLISH, looked up where a topic alias stands for it; Aliased tells that it was.
	Topic   []byte
	Aliased bool
	// Resent is set on a packet of the same identifier and content that was sent before and is not acknowledged yet.
	Resent bool
	// Flow is the number of the handshake the packet belongs to, 0 for none; Step its place in it, from 1.
	Flow int64
	Step int
	// Completes is the handshake the packet ends, else nil. It also follows as an event of its own.
	Completes *FlowEvent
	// Unacked counts the PUBLISH packets above QoS 0 that are unacknowledged after this packet, by sender: the client's,
	// the server's. The receive maximum limits them.
	Unacked [2]int
	// Origin is, on a server's PUBLISH, the packet by which a client published the message, 0 when that was not seen;
	// Residence the time between the two, and Copy counts the deliveries of that message, from 1.
	Origin    int64
	Residence time.Duration
	Copy      int
	// Findings are the diagnostics that came up with this packet; they also follow as events.
	Findings []Diagnostic
}

// Diagnostic is one broken rule.
type Diagnostic struct {
	Severity packet.Severity
	// Key names the rule whatever the version: a row of the project's list of statements.
	Key string
	// Version is the version whose rules were applied, 0 when it is only inferred, and Rule its statement
	// ("MQTT-3.3.1-4") or section ("§2.2.3"), "" when it has none.
	Version packet.Version
	Rule    string
	// Text states the rule in one sentence. Detail says what happened here, "" where the rule says it all.
	Text, Detail string
	Conn         ConnID
	ConnNumber   int
	ClientID     string
	Dir          packet.Direction
	Time         time.Time
	// Packet is the number of the packet at fault, Related that of another the fault is about; 0 for none.
	Packet, Related int64
	// Field is the part of the packet at fault, "" for all of it; Start and End are its bytes [Start,End), counted from
	// the packet's first, and 0 where there is no packet.
	Field      string
	Start, End int
	Side       packet.Side
	// Code is what a 5.0 receiver should answer, 0 for nothing. CodeNamed tells that the specification names it for this
	// case, not only by the general rule of section 4.13.1.
	Code      packet.ReasonCode
	CodeNamed bool
}

// Kind is a kind of handshake.
type Kind byte

// The kinds of handshake.
const (
	KindConnect     Kind = 1
	KindSubscribe   Kind = 2
	KindUnsubscribe Kind = 3
	KindPing        Kind = 4
	KindQoS1        Kind = 5
	KindQoS2        Kind = 6
	KindAuth        Kind = 7 // a re-authentication
	KindRequest     Kind = 8 // a request and its response, matched by response topic and correlation data
	kinds                = 9
)

// String returns "CONNECT", "SUBSCRIBE", "UNSUBSCRIBE", "PING", "QoS 1", "QoS 2", "AUTH" or "request", or "Kind(n)".
func (k Kind) String() string {
	names := [kinds]string{"", "CONNECT", "SUBSCRIBE", "UNSUBSCRIBE", "PING", "QoS 1", "QoS 2", "AUTH", "request"}
	if k == 0 || int(k) >= len(names) {
		return fmt.Sprintf("Kind(%d)", byte(k))
	}
	return names[k]
}

// Outcome is how a handshake ended.
type Outcome byte

// The outcomes.
const (
	Completed  Outcome = 1
	Refused    Outcome = 2 // ended by a failure code
	Incomplete Outcome = 3 // not ended when its connection or the input did
)

// String returns "completed", "refused" or "incomplete", or "Outcome(n)".
func (o Outcome) String() string {
	switch o {
	case Completed:
		return "completed"
	case Refused:
		return "refused"
	case Incomplete:
		return "incomplete"
	}
	return fmt.Sprintf("Outcome(%d)", byte(o))
}

// Step is one packet of a handshake.
type Step struct {
	Packet int64
	Type   packet.Type
	Dir    packet.Direction
	Time   time.Time
	Conn   ConnID
}

// FlowEvent is a handshake that has ended, one way or the other.
type FlowEvent struct {
	// Number counts handshakes over all connections in the order they began, from 1.
	Number     int64
	Kind       Kind
	Conn       ConnID
	ConnNumber int
	ClientID   string
	// Dir is the direction of the first step.
	Dir      packet.Direction
	PacketID uint16
	// Topic is that of the message of KindQoS1, KindQoS2 and KindRequest, nil when too many topics were in use.
	Topic []byte
	Steps []Step
	// Total is the time from the first step to the last.
	Total   time.Duration
	Outcome Outcome
	// Code is the result in 5.0 numbering, for SUBACK and UNSUBACK the worst one; Words is the result in words.
	Code  packet.ReasonCode
	Words string
	// Resent is how often a packet of it was sent again.
	Resent int
}

// ConnectionKind is what happened to a connection.
type ConnectionKind byte

// The kinds of connection event.
const (
	ConnOpened      ConnectionKind = 1
	ConnEstablished ConnectionKind = 2 // the server accepted
	ConnRefused     ConnectionKind = 3
	ConnInferred    ConnectionKind = 4 // CONNECT was not seen; the version is a guess
	ConnGap         ConnectionKind = 5 // bytes are missing
	ConnClosed      ConnectionKind = 6
)

// String returns "opened", "established", "refused", "inferred", "gap" or "closed", or "ConnectionKind(n)".
func (k ConnectionKind) String() string {
	names := [...]string{"", "opened", "established", "refused", "inferred", "gap", "closed"}
	if k == 0 || int(k) >= len(names) {
		return fmt.Sprintf("ConnectionKind(%d)", byte(k))
	}
	return names[k]
}

// ConnectionEvent is a change in the life of a connection.
type ConnectionEvent struct {
	Kind   ConnectionKind
	Conn   ConnID
	Number int
	Meta   Meta
	Time   time.Time
	// Version is 0 while unknown. Inferred tells that it is a guess.
	Version  packet.Version
	Inferred bool
	Bridge   bool
	// ClientID is the one in force, Assigned tells that the server chose it.
	ClientID string
	Assigned bool
	// Limits are those agreed on, from ConnEstablished on.
	Limits Limits
	// Resumed counts the handshakes carried over from the session's earlier connection.
	Resumed int
	// Code and Words are the server's answer, or the last DISCONNECT's.
	Code  packet.ReasonCode
	Words string
	// By is who closed the connection. Normal tells that a client's DISCONNECT with code 0 came before.
	By     Closer
	Normal bool
	// Duration is the time since the opening. Packets and Bytes count by sender: the client's, the server's.
	Duration       time.Duration
	Packets, Bytes [2]int64
	// Dir and Missing tell where how many bytes are missing, for ConnGap.
	Dir     packet.Direction
	Missing int64
}

func (*PacketEvent) event()     {}
func (*Diagnostic) event()      {}
func (*FlowEvent) event()       {}
func (*ConnectionEvent) event() {}
func (*Summary) event()         {}
