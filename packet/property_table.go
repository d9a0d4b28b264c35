package packet

import (
	"fmt"
	"strings"
)

// PropertyID is the identifier of a property (section 2.2.2.2 of 5.0).
type PropertyID byte

// The 27 properties of MQTT 5.0.
const (
	PropPayloadFormatIndicator          PropertyID = 0x01
	PropMessageExpiryInterval           PropertyID = 0x02
	PropContentType                     PropertyID = 0x03
	PropResponseTopic                   PropertyID = 0x08
	PropCorrelationData                 PropertyID = 0x09
	PropSubscriptionIdentifier          PropertyID = 0x0B
	PropSessionExpiryInterval           PropertyID = 0x11
	PropAssignedClientIdentifier        PropertyID = 0x12
	PropServerKeepAlive                 PropertyID = 0x13
	PropAuthenticationMethod            PropertyID = 0x15
	PropAuthenticationData              PropertyID = 0x16
	PropRequestProblemInformation       PropertyID = 0x17
	PropWillDelayInterval               PropertyID = 0x18
	PropRequestResponseInformation      PropertyID = 0x19
	PropResponseInformation             PropertyID = 0x1A
	PropServerReference                 PropertyID = 0x1C
	PropReasonString                    PropertyID = 0x1F
	PropReceiveMaximum                  PropertyID = 0x21
	PropTopicAliasMaximum               PropertyID = 0x22
	PropTopicAlias                      PropertyID = 0x23
	PropMaximumQoS                      PropertyID = 0x24
	PropRetainAvailable                 PropertyID = 0x25
	PropUserProperty                    PropertyID = 0x26
	PropMaximumPacketSize               PropertyID = 0x27
	PropWildcardSubscriptionAvailable   PropertyID = 0x28
	PropSubscriptionIdentifierAvailable PropertyID = 0x29
	PropSharedSubscriptionAvailable     PropertyID = 0x2A
)

// maxProperty is the greatest identifier; all of them take one byte on the wire.
const maxProperty = PropSharedSubscriptionAvailable

// PropertyType is the wire type of a property's value (section 1.5 of 5.0).
type PropertyType byte

// The wire types.
const (
	PropByte   PropertyType = 1 // one byte
	PropUint16 PropertyType = 2 // two byte integer
	PropUint32 PropertyType = 3 // four byte integer
	PropVarint PropertyType = 4 // variable byte integer
	PropString PropertyType = 5 // UTF-8 encoded string
	PropPair   PropertyType = 6 // UTF-8 string pair
	PropBinary PropertyType = 7 // binary data
)

// String returns the specification's name of t, or "PropertyType(n)".
func (t PropertyType) String() string {
	names := [...]string{"", "byte", "two byte integer", "four byte integer", "variable byte integer", "UTF-8 string", "UTF-8 string pair", "binary data"}
	if t > 0 && int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("PropertyType(%d)", byte(t))
}

// WillProperties stands for the will properties of a CONNECT where a packet type is asked for: they have a list of their
// own (section 3.1.3.2). It is no packet type.
const WillProperties Type = 0

// valueRule says which values of an integer or string are allowed.
type valueRule byte

const (
	anyValue  valueRule = iota
	zeroOrOne           // 0 or 1
	notZero             // anything but 0
	topicName           // a string without wildcards
)

// place is a packet that may carry a property, the section that says so, and the row of the list of statements.
type place struct {
	t       Type
	section string
	key     string
}

// PropertyInfo describes a property.
type PropertyInfo struct {
	ID   PropertyID
	Name string // the specification's
	Type PropertyType

	values   valueRule
	encoding *Rule     // what demands UTF-8, nil for the general rule
	repeat   typeSet   // the packets it may occur in more than once
	unit     string    // of an integer
	words    [2]string // of 0 and 1
	places   []place
	in       typeSet // the places as a set
}

// AllowedIn reports whether a packet of type t may carry the property; WillProperties asks for those of a will.
func (p *PropertyInfo) AllowedIn(t Type) bool { return p.in.has(t) }

// RepeatableIn reports whether a packet of type t may carry the property more than once (section 2.2.2.2).
func (p *PropertyInfo) RepeatableIn(t Type) bool { return p.repeat.has(t) }

// place returns the entry for packets of type t, which AllowedIn has accepted.
func (p *PropertyInfo) place(t Type) place {
	for _, pl := range p.places {
		if pl.t == t {
			return pl
		}
	}
	return place{t, "2.2.2.2", "L1"}
}

// everywhere is where a user property may stand.
var everywhere = []place{
	{CONNECT, "3.1.2.11.8", "B5"}, {WillProperties, "3.1.3.2.8", "B5"}, {CONNACK, "3.2.2.3.10", "B5"}, {PUBLISH, "3.3.2.3.7", "B5"},
	{PUBACK, "3.4.2.2.3", "B5"}, {PUBREC, "3.5.2.2.3", "B5"}, {PUBREL, "3.6.2.2.3", "B5"}, {PUBCOMP, "3.7.2.2.3", "B5"},
	{SUBSCRIBE, "3.8.2.1.3", "B5"}, {SUBACK, "3.9.2.1.3", "B5"}, {UNSUBSCRIBE, "3.10.2.1.2", "B5"}, {UNSUBACK, "3.11.2.1.3", "B5"},
	{DISCONNECT, "3.14.2.2.4", "B5"}, {AUTH, "3.15.2.2.5", "B5"},
}

// propertyTable is the table that encoding, decoding, validation and description read, by identifier; entries without a
// name are not defined (table 2-4 of 5.0).
var propertyTable = indexProperties([]PropertyInfo{
	{ID: PropPayloadFormatIndicator, Name: "Payload Format Indicator", Type: PropByte, values: zeroOrOne, words: [2]string{"unspecified bytes", "UTF-8 text"},
		places: []place{{PUBLISH, "3.3.2.3.2", "L4"}, {WillProperties, "3.1.3.2.3", "C37"}}},
	{ID: PropMessageExpiryInterval, Name: "Message Expiry Interval", Type: PropUint32, unit: "s",
		places: []place{{PUBLISH, "3.3.2.3.3", "L4"}, {WillProperties, "3.1.3.2.4", "C37"}}},
	{ID: PropContentType, Name: "Content Type", Type: PropString, encoding: &ruleContentTypeUTF8,
		places: []place{{PUBLISH, "3.3.2.3.9", "E14"}, {WillProperties, "3.1.3.2.5", "C37"}}},
	{ID: PropResponseTopic, Name: "Response Topic", Type: PropString, encoding: &ruleResponseTopicUTF8, values: topicName,
		places: []place{{PUBLISH, "3.3.2.3.5", "E11"}, {WillProperties, "3.1.3.2.6", "C37"}}},
	{ID: PropCorrelationData, Name: "Correlation Data", Type: PropBinary,
		places: []place{{PUBLISH, "3.3.2.3.6", "E12"}, {WillProperties, "3.1.3.2.7", "C37"}}},
	{ID: PropSubscriptionIdentifier, Name: "Subscription Identifier", Type: PropVarint, values: notZero, repeat: on(PUBLISH),
		places: []place{{PUBLISH, "3.3.2.3.8", "E15"}, {SUBSCRIBE, "3.8.2.1.2", "G8"}}},
	{ID: PropSessionExpiryInterval, Name: "Session Expiry Interval", Type: PropUint32, unit: "s",
		places: []place{{CONNECT, "3.1.2.11.2", "C29"}, {CONNACK, "3.2.2.3.2", "D13"}, {DISCONNECT, "3.14.2.2.2", "J7"}}},
	{ID: PropAssignedClientIdentifier, Name: "Assigned Client Identifier", Type: PropString, places: []place{{CONNACK, "3.2.2.3.7", "D18"}}},
	{ID: PropServerKeepAlive, Name: "Server Keep Alive", Type: PropUint16, unit: "s", places: []place{{CONNACK, "3.2.2.3.14", "D25"}}},
	{ID: PropAuthenticationMethod, Name: "Authentication Method", Type: PropString,
		places: []place{{CONNECT, "3.1.2.11.9", "C35"}, {CONNACK, "3.2.2.3.17", "D28"}, {AUTH, "3.15.2.2.2", "K4"}}},
	{ID: PropAuthenticationData, Name: "Authentication Data", Type: PropBinary,
		places: []place{{CONNECT, "3.1.2.11.10", "C36"}, {CONNACK, "3.2.2.3.18", "D28"}, {AUTH, "3.15.2.2.3", "K5"}}},
	{ID: PropRequestProblemInformation, Name: "Request Problem Information", Type: PropByte, values: zeroOrOne, words: [2]string{"only where it is always allowed", "wanted"},
		places: []place{{CONNECT, "3.1.2.11.7", "C34"}}},
	{ID: PropWillDelayInterval, Name: "Will Delay Interval", Type: PropUint32, unit: "s", places: []place{{WillProperties, "3.1.3.2.2", "C37"}}},
	{ID: PropRequestResponseInformation, Name: "Request Response Information", Type: PropByte, values: zeroOrOne, words: [2]string{"not wanted", "wanted"},
		places: []place{{CONNECT, "3.1.2.11.6", "C33"}}},
	{ID: PropResponseInformation, Name: "Response Information", Type: PropString, places: []place{{CONNACK, "3.2.2.3.15", "D26"}}},
	{ID: PropServerReference, Name: "Server Reference", Type: PropString,
		places: []place{{CONNACK, "3.2.2.3.16", "D27"}, {DISCONNECT, "3.14.2.2.5", "J8"}}},
	{ID: PropReasonString, Name: "Reason String", Type: PropString,
		places: []place{{CONNACK, "3.2.2.3.9", "D21"}, {PUBACK, "3.4.2.2.2", "F7"}, {PUBREC, "3.5.2.2.2", "F7"}, {PUBREL, "3.6.2.2.2", "F7"},
			{PUBCOMP, "3.7.2.2.2", "F7"}, {SUBACK, "3.9.2.1.2", "G10"}, {UNSUBACK, "3.11.2.1.2", "H6"}, {DISCONNECT, "3.14.2.2.3", "J8"}, {AUTH, "3.15.2.2.4", "K5"}}},
	{ID: PropReceiveMaximum, Name: "Receive Maximum", Type: PropUint16, values: notZero, unit: "messages",
		places: []place{{CONNECT, "3.1.2.11.3", "C30"}, {CONNACK, "3.2.2.3.3", "D14"}}},
	{ID: PropTopicAliasMaximum, Name: "Topic Alias Maximum", Type: PropUint16,
		places: []place{{CONNECT, "3.1.2.11.5", "C32"}, {CONNACK, "3.2.2.3.8", "D20"}}},
	{ID: PropTopicAlias, Name: "Topic Alias", Type: PropUint16, values: notZero, places: []place{{PUBLISH, "3.3.2.3.4", "E8"}}},
	{ID: PropMaximumQoS, Name: "Maximum QoS", Type: PropByte, values: zeroOrOne, words: [2]string{"at most once", "at least once"}, places: []place{{CONNACK, "3.2.2.3.4", "D15"}}},
	{ID: PropRetainAvailable, Name: "Retain Available", Type: PropByte, values: zeroOrOne, words: [2]string{"no", "yes"}, places: []place{{CONNACK, "3.2.2.3.5", "D16"}}},
	{ID: PropUserProperty, Name: "User Property", Type: PropPair, encoding: &rulePairUTF8, repeat: ^typeSet(0), places: everywhere},
	{ID: PropMaximumPacketSize, Name: "Maximum Packet Size", Type: PropUint32, values: notZero, unit: "bytes",
		places: []place{{CONNECT, "3.1.2.11.4", "C31"}, {CONNACK, "3.2.2.3.6", "D17"}}},
	{ID: PropWildcardSubscriptionAvailable, Name: "Wildcard Subscription Available", Type: PropByte, values: zeroOrOne, words: [2]string{"no", "yes"}, places: []place{{CONNACK, "3.2.2.3.11", "D22"}}},
	{ID: PropSubscriptionIdentifierAvailable, Name: "Subscription Identifier Available", Type: PropByte, values: zeroOrOne, words: [2]string{"no", "yes"}, places: []place{{CONNACK, "3.2.2.3.12", "D23"}}},
	{ID: PropSharedSubscriptionAvailable, Name: "Shared Subscription Available", Type: PropByte, values: zeroOrOne, words: [2]string{"no", "yes"}, places: []place{{CONNACK, "3.2.2.3.13", "D24"}}},
})

func indexProperties(list []PropertyInfo) (byID [maxProperty + 1]PropertyInfo) {
	for _, p := range list {
		for _, pl := range p.places {
			p.in |= on(pl.t)
		}
		byID[p.ID] = p
	}
	return byID
}

// info returns the table's entry, nil for an identifier that is not defined.
func (id PropertyID) info() *PropertyInfo {
	if id > maxProperty || propertyTable[id].Name == "" {
		return nil
	}
	return &propertyTable[id]
}

// Info returns what the specification says of id; false when it does not define it.
func (id PropertyID) Info() (PropertyInfo, bool) {
	if p := id.info(); p != nil {
		return *p, true
	}
	return PropertyInfo{}, false
}

// String returns the specification's name of id ("Reason String"), or "Property(0xNN)".
func (id PropertyID) String() string {
	if p := id.info(); p != nil {
		return p.Name
	}
	return fmt.Sprintf("Property(0x%02X)", byte(id))
}

// Word returns the name of id as mosquitto's options and JSON keys spell it ("reason-string"), or that of String.
func (id PropertyID) Word() string {
	if p := id.info(); p != nil {
		return strings.ToLower(strings.ReplaceAll(p.Name, " ", "-"))
	}
	return id.String()
}

// ParsePropertyID returns the property whose Word or String is s, whatever the case; false when there is none.
func ParsePropertyID(s string) (PropertyID, bool) {
	s = strings.ToLower(strings.ReplaceAll(s, " ", "-"))
	for id := range maxProperty + 1 {
		if id.info() != nil && id.Word() == s {
			return id, true
		}
	}
	return 0, false
}

// PropertyIDs returns every identifier the specification defines, in rising order.
func PropertyIDs() []PropertyID {
	var ids []PropertyID
	for id := range maxProperty + 1 {
		if id.info() != nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// Meaning returns what an integer value of property id says ("60 s", "no"), or "" when the number says it all.
func (id PropertyID) Meaning(value uint32) string {
	p := id.info()
	switch {
	case p == nil:
		return ""
	case p.words[0] != "" && value < 2:
		return p.words[value]
	case id == PropSessionExpiryInterval && value == 1<<32-1:
		return "never"
	case p.unit != "":
		return fmt.Sprintf("%d %s", value, p.unit)
	}
	return ""
}
