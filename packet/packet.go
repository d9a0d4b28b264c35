// Package packet knows the MQTT wire format of versions 3.1, 3.1.1 and 5.0 and the names that come with it. It refuses
// to know anything else: it opens no sockets, reads no clocks, starts no goroutines and logs nothing, and it imports
// only the standard library.
package packet

import "fmt"

// Type is the MQTT control packet type, the upper four bits of a packet's first byte (section 2.1.2 of MQTT 5.0,
// 2.2.1 of 3.1.1).
type Type byte

// The control packet types. AUTH exists in MQTT 5.0 only; 0 is forbidden.
const (
	CONNECT     Type = 1
	CONNACK     Type = 2
	PUBLISH     Type = 3
	PUBACK      Type = 4
	PUBREC      Type = 5
	PUBREL      Type = 6
	PUBCOMP     Type = 7
	SUBSCRIBE   Type = 8
	SUBACK      Type = 9
	UNSUBSCRIBE Type = 10
	UNSUBACK    Type = 11
	PINGREQ     Type = 12
	PINGRESP    Type = 13
	DISCONNECT  Type = 14
	AUTH        Type = 15
)

var typeNames = [16]string{
	CONNECT: "CONNECT", CONNACK: "CONNACK", PUBLISH: "PUBLISH", PUBACK: "PUBACK", PUBREC: "PUBREC", PUBREL: "PUBREL",
	PUBCOMP: "PUBCOMP", SUBSCRIBE: "SUBSCRIBE", SUBACK: "SUBACK", UNSUBSCRIBE: "UNSUBSCRIBE", UNSUBACK: "UNSUBACK",
	PINGREQ: "PINGREQ", PINGRESP: "PINGRESP", DISCONNECT: "DISCONNECT", AUTH: "AUTH",
}

// String returns the specification's name for t, or "Type(n)" for a value that has none.
func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", byte(t))
}

// QoS is a quality of service level, 0 to 2 (section 4.3).
type QoS byte

// The quality of service levels.
const (
	AtMostOnce  QoS = 0
	AtLeastOnce QoS = 1
	ExactlyOnce QoS = 2
)

// Valid reports whether q is 0, 1 or 2 [MQTT-3.3.1-4].
func (q QoS) Valid() bool { return q <= ExactlyOnce }

// String returns the digit of q, or "QoS(n)" for a value that is no QoS.
func (q QoS) String() string {
	if q.Valid() {
		return string('0' + rune(q))
	}
	return fmt.Sprintf("QoS(%d)", byte(q))
}

// Version is the protocol level a CONNECT carries (section 3.1.2.2).
type Version byte

// The protocol versions this package knows.
const (
	V31  Version = 3
	V311 Version = 4
	V5   Version = 5
)

// String returns the usual name of v ("3.1", "3.1.1", "5.0"), or "Version(n)" for any other level.
func (v Version) String() string {
	switch v {
	case V31:
		return "3.1"
	case V311:
		return "3.1.1"
	case V5:
		return "5.0"
	}
	return fmt.Sprintf("Version(%d)", byte(v))
}
