package packet

import "fmt"

// ReasonCode is the one-byte result of an operation in MQTT 5.0 (section 2.4); values from 0x80 mean failure. A 3.1.1
// SUBACK uses its values 0x00, 0x01, 0x02 and 0x80 with the same meaning.
type ReasonCode byte

// The reason codes of MQTT 5.0 (table 2-6). Which packet may carry which is told by ReasonCode.ValidIn.
const (
	ReasonSuccess                     ReasonCode = 0x00
	ReasonGrantedQoS1                 ReasonCode = 0x01
	ReasonGrantedQoS2                 ReasonCode = 0x02
	ReasonDisconnectWithWill          ReasonCode = 0x04
	ReasonNoMatchingSubscribers       ReasonCode = 0x10
	ReasonNoSubscriptionExisted       ReasonCode = 0x11
	ReasonContinueAuthentication      ReasonCode = 0x18
	ReasonReauthenticate              ReasonCode = 0x19
	ReasonUnspecifiedError            ReasonCode = 0x80
	ReasonMalformedPacket             ReasonCode = 0x81
	ReasonProtocolError               ReasonCode = 0x82
	ReasonImplementationSpecific      ReasonCode = 0x83
	ReasonUnsupportedVersion          ReasonCode = 0x84
	ReasonClientIDNotValid            ReasonCode = 0x85
	ReasonBadUserNameOrPassword       ReasonCode = 0x86
	ReasonNotAuthorized               ReasonCode = 0x87
	ReasonServerUnavailable           ReasonCode = 0x88
	ReasonServerBusy                  ReasonCode = 0x89
	ReasonBanned                      ReasonCode = 0x8A
	ReasonServerShuttingDown          ReasonCode = 0x8B
	ReasonBadAuthenticationMethod     ReasonCode = 0x8C
	ReasonKeepAliveTimeout            ReasonCode = 0x8D
	ReasonSessionTakenOver            ReasonCode = 0x8E
	ReasonTopicFilterInvalid          ReasonCode = 0x8F
	ReasonTopicNameInvalid            ReasonCode = 0x90
	ReasonPacketIDInUse               ReasonCode = 0x91
	ReasonPacketIDNotFound            ReasonCode = 0x92
	ReasonReceiveMaximumExceeded      ReasonCode = 0x93
	ReasonTopicAliasInvalid           ReasonCode = 0x94
	ReasonPacketTooLarge              ReasonCode = 0x95
	ReasonMessageRateTooHigh          ReasonCode = 0x96
	ReasonQuotaExceeded               ReasonCode = 0x97
	ReasonAdministrativeAction        ReasonCode = 0x98
	ReasonPayloadFormatInvalid        ReasonCode = 0x99
	ReasonRetainNotSupported          ReasonCode = 0x9A
	ReasonQoSNotSupported             ReasonCode = 0x9B
	ReasonUseAnotherServer            ReasonCode = 0x9C
	ReasonServerMoved                 ReasonCode = 0x9D
	ReasonSharedSubsNotSupported      ReasonCode = 0x9E
	ReasonConnectionRateExceeded      ReasonCode = 0x9F
	ReasonMaximumConnectTime          ReasonCode = 0xA0
	ReasonSubscriptionIDsNotSupported ReasonCode = 0xA1
	ReasonWildcardSubsNotSupported    ReasonCode = 0xA2
)

// typeSet is a set of packet types, one bit each.
type typeSet uint16

func on(types ...Type) typeSet {
	var s typeSet
	for _, t := range types {
		s |= 1 << t
	}
	return s
}

func (s typeSet) has(t Type) bool { return t < 16 && s>>t&1 != 0 }

// The packets of table 2-6 that are named together.
var (
	inAcks = on(PUBACK, PUBREC)
	inSubs = on(SUBACK, UNSUBACK)
	inDisc = on(DISCONNECT)
	inConn = on(CONNACK)
)

// reasons lists each code's words and which packets may carry it when a client and when a server sends them (tables 2-6,
// 3-1, 3-4 to 3-11).
var reasons = [256]struct {
	name           string
	client, server typeSet
}{
	0x00: {"success", on(PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT), on(CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH)},
	0x01: {"granted QoS 1", 0, on(SUBACK)},
	0x02: {"granted QoS 2", 0, on(SUBACK)},
	0x04: {"disconnect with will message", inDisc, 0},
	0x10: {"no matching subscribers", 0, inAcks},
	0x11: {"no subscription existed", 0, on(UNSUBACK)},
	0x18: {"continue authentication", on(AUTH), on(AUTH)},
	0x19: {"re-authenticate", on(AUTH), 0},
	0x80: {"unspecified error", inAcks | inDisc, inConn | inAcks | inSubs | inDisc},
	0x81: {"malformed packet", inDisc, inConn | inDisc},
	0x82: {"protocol error", inDisc, inConn | inDisc},
	0x83: {"implementation specific error", inAcks | inDisc, inConn | inAcks | inSubs | inDisc},
	0x84: {"unsupported protocol version", 0, inConn},
	0x85: {"client identifier not valid", 0, inConn},
	0x86: {"bad user name or password", 0, inConn},
	0x87: {"not authorized", inAcks, inConn | inAcks | inSubs | inDisc},
	0x88: {"server unavailable", 0, inConn},
	0x89: {"server busy", 0, inConn | inDisc},
	0x8A: {"banned", 0, inConn},
	0x8B: {"server shutting down", 0, inDisc},
	0x8C: {"bad authentication method", 0, inConn},
	0x8D: {"keep alive timeout", 0, inDisc},
	0x8E: {"session taken over", 0, inDisc},
	0x8F: {"topic filter invalid", 0, inSubs | inDisc},
	0x90: {"topic name invalid", inAcks | inDisc, inConn | inAcks | inDisc},
	0x91: {"packet identifier in use", inAcks, inAcks | inSubs},
	0x92: {"packet identifier not found", on(PUBREL, PUBCOMP), on(PUBREL, PUBCOMP)},
	0x93: {"receive maximum exceeded", inDisc, inDisc},
	0x94: {"topic alias invalid", inDisc, inDisc},
	0x95: {"packet too large", inDisc, inConn | inDisc},
	0x96: {"message rate too high", inDisc, inDisc},
	0x97: {"quota exceeded", inAcks | inDisc, inConn | inAcks | on(SUBACK) | inDisc},
	0x98: {"administrative action", inDisc, inDisc},
	0x99: {"payload format invalid", inAcks | inDisc, inConn | inAcks | inDisc},
	0x9A: {"retain not supported", 0, inConn | inDisc},
	0x9B: {"QoS not supported", 0, inConn | inDisc},
	0x9C: {"use another server", 0, inConn | inDisc},
	0x9D: {"server moved", 0, inConn | inDisc},
	0x9E: {"shared subscriptions not supported", 0, on(SUBACK) | inDisc},
	0x9F: {"connection rate exceeded", 0, inConn | inDisc},
	0xA0: {"maximum connect time", 0, inDisc},
	0xA1: {"subscription identifiers not supported", 0, on(SUBACK) | inDisc},
	0xA2: {"wildcard subscriptions not supported", 0, on(SUBACK) | inDisc},
}

// String returns the specification's words for c in lower case, or "reason code 0xNN" for a value it does not define.
func (c ReasonCode) String() string {
	if s := reasons[c].name; s != "" {
		return s
	}
	return fmt.Sprintf("reason code 0x%02X", byte(c))
}

// In returns the words of c as the section of packet type t has them: 0x00 is "granted QoS 0" in a SUBACK and "normal
// disconnection" in a DISCONNECT.
func (c ReasonCode) In(t Type) string {
	switch {
	case c == 0 && t == SUBACK:
		return "granted QoS 0"
	case c == 0 && t == DISCONNECT:
		return "normal disconnection"
	}
	return c.String()
}

// Failed reports whether c is 0x80 or greater (section 2.4).
func (c ReasonCode) Failed() bool { return c >= 0x80 }

// Known reports whether MQTT 5.0 defines c (table 2-6).
func (c ReasonCode) Known() bool { return reasons[c].name != "" }

// ValidIn reports whether a 5.0 packet of type t may carry c, whoever sends it.
func (c ReasonCode) ValidIn(t Type) bool { return (reasons[c].client | reasons[c].server).has(t) }

// ValidFrom reports whether c may stand in a 5.0 packet of type t that travels in direction d. With DirUnknown it is
// ValidIn.
func (c ReasonCode) ValidFrom(t Type, d Direction) bool {
	switch d {
	case ClientToServer:
		return reasons[c].client.has(t)
	case ServerToClient:
		return reasons[c].server.has(t)
	}
	return c.ValidIn(t)
}
