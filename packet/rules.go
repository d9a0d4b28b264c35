package packet

// Rules returns every rule this package checks, in the order of the project's list of statements. The rules about a
// property's place, number and value are made from the property table and are not among them.
func Rules() []Rule {
	var list []Rule
	for _, r := range allRules() {
		list = append(list, *r)
	}
	return list
}

func allRules() []*Rule {
	return []*Rule{
		&ruleTruncated, &ruleOtherType, &ruleVersion, &ruleFlags, &ruleLongLength, &ruleMinimalLength, &ruleTypeZero,
		&ruleTypeAuth, &rulePastEnd, &ruleTrailing, &rulePacketIDClient, &rulePacketIDServer, &ruleAckPacketID,
		&rulePropertyLengthMissing, &rulePropertyLength, &ruleUTF8, &ruleNUL, &ruleControl, &rulePairUTF8,
		&rulePayloadFormat, &ruleWillPayloadFormat, &ruleProtocolName, &ruleProtocolLevel, &ruleConnectReserved,
		&ruleWillMissing, &ruleWillQoSWithoutWill, &ruleWillQoS3, &ruleWillRetainWithoutWill, &ruleNoUserNameFlag,
		&ruleUserNameMissing, &ruleNoPasswordFlag, &rulePasswordMissing, &rulePasswordAlone, &ruleClientIDMissing,
		&ruleClientIDUTF8, &ruleClientIDEmpty, &ruleClientIDLength, &ruleWillTopicUTF8, &ruleUserNameUTF8,
		&ruleWillTopicWildcard, &ruleWillTopicEmpty, &ruleAuthDataAlone, &ruleBridge, &ruleConnackFlags, &ruleSessionPresent,
		&ruleConnackCode, &ruleConnackShape, &ruleServerReference, &ruleDupQoS0, &ruleQoS3, &ruleTopicUTF8,
		&ruleTopicWildcard, &ruleTopicEmpty, &ruleAliasZero, &ruleResponseTopicUTF8, &ruleResponseTopicWildcard,
		&ruleContentTypeUTF8, &ruleClientSubscriptionID, &ruleFlagsPubrel, &rulePubackCode, &rulePubrecCode,
		&rulePubrelCode, &rulePubcompCode, &ruleAckLength, &ruleFlagsSubscribe, &ruleFilterUTF8, &ruleNoFilters,
		&ruleOptionsReserved, &ruleOptionsQoS, &ruleRetainHandling, &ruleNoLocalShared, &ruleSubackCode, &ruleSubackEmpty,
		&ruleSuback31, &ruleFlagsUnsubscribe, &ruleUnfilterUTF8, &ruleNoUnfilters, &ruleUnsubackLength,
		&ruleUnsubackCode, &ruleUnsubackEmpty, &rulePingreqLength, &rulePingrespLength, &ruleFlagsDisconnect,
		&ruleDisconnectLength, &ruleDisconnectCode, &ruleDisconnectSide, &ruleDisconnectExpiry, &ruleDisconnectReference,
		&ruleFlagsAuth, &ruleAuthCode, &ruleAuthSide, &ruleAuthMethod, &ruleAuthShorthand, &rulePropertyID,
		&rulePropertyType, &rulePropertyIDLength, &ruleHashPlace, &rulePlusPlace, &ruleFilterEmpty, &ruleShareName,
		&ruleShareFilter, &ruleAckServerCode,
	}
}

// Framing. The first three have no row in the list: they are about what was handed to the decoder.
var (
	ruleTruncated = func() Rule {
		r := malformed("incomplete", "§2.2.3", "§2.1.4", "the bytes end before the packet does")
		r.Err, r.Code = ErrTruncated, 0
		return r
	}()
	ruleOtherType = protocol("type", "§2.2.1", "§2.1.2", "the packet is of another type than the one asked for").general(0)
	ruleVersion   = protocol("version", "§3.1.2.2", "§3.1.2.2", "the protocol version is not known").general(0)

	ruleFlags         = malformed("A1", "2.2.2-1", "2.1.3-1", "the reserved flags of the first byte have one fixed value for each packet type").in31(SeverityWarning).named(ReasonMalformedPacket)
	ruleLongLength    = malformed("A3", "§2.2.3", "§2.1.4", "the remaining length takes at most four bytes")
	ruleMinimalLength = malformed("A4", "", "1.5.5-1", "a variable byte integer is written in the fewest bytes").in3(SeverityNote)
	ruleTypeZero      = malformed("A5", "§2.2.1", "§2.1.2", "packet type 0 is forbidden")
	ruleTypeAuth      = protocol("A6", "§2.2.1", "", "packet type 15 is reserved before 5.0").general(0)
	rulePastEnd       = malformed("A8", "§2.2.3", "§2.1.4", "a field must not reach past the end of the packet")
	ruleTrailing      = malformed("A9", "§2.2.3", "§2.1.4", "no bytes may follow the last field of the packet")

	rulePacketIDClient = protocol("A10", "2.3.1-1", "2.2.1-3", "SUBSCRIBE, UNSUBSCRIBE and PUBLISH above QoS 0 carry a packet identifier that is not 0")
	rulePacketIDServer = protocol("A11", "2.3.1-1", "2.2.1-4", "a server's PUBLISH above QoS 0 carries a packet identifier that is not 0").by(SideServer)
	ruleAckPacketID    = protocol("ack-id", "§2.3.1", "§2.2.1", "an acknowledgement carries the packet identifier it answers, which is never 0")

	rulePropertyLengthMissing = malformed("A13", "", "2.2.2-1", "an empty set of properties is written as property length 0")
	rulePropertyLength        = malformed("A14", "", "§2.2.2.1", "the property length must not reach past the end of the packet")
)

// Strings.
var (
	ruleUTF8              = malformed("B1", "1.5.3-1", "1.5.4-1", "a string is well-formed UTF-8 without surrogates").named(ReasonMalformedPacket)
	ruleNUL               = malformed("B2", "1.5.3-2", "1.5.4-2", "a string does not hold the character U+0000").named(ReasonMalformedPacket)
	ruleControl           = malformed("B4", "§1.5.3", "§1.5.4", "a string should not hold control characters or non-characters").all(SeverityNote).named(ReasonMalformedPacket)
	rulePairUTF8          = malformed("B5", "", "1.5.7-1", "both strings of a pair are well-formed UTF-8").named(ReasonMalformedPacket)
	rulePayloadFormat     = malformed("B6", "", "§3.3.2.3.2", "a payload announced as text is valid UTF-8").all(SeverityWarning).named(ReasonPayloadFormatInvalid)
	ruleWillPayloadFormat = malformed("B7", "", "§3.1.3.2.3", "a will payload announced as text is valid UTF-8").all(SeverityWarning).named(ReasonPayloadFormatInvalid).by(SideClient)
)

// CONNECT.
var (
	ruleProtocolName          = protocol("C3", "3.1.2-1", "3.1.2-1", `the protocol name is "MQTT", or "MQIsdp" with level 3`).by(SideClient).named(ReasonUnsupportedVersion)
	ruleProtocolLevel         = protocol("C4", "3.1.2-2", "3.1.2-2", "the protocol level is 3, 4 or 5").by(SideClient).named(ReasonUnsupportedVersion)
	ruleConnectReserved       = malformed("C5", "3.1.2-3", "3.1.2-3", "bit 0 of the connect flags is 0").by(SideClient).in31(SeverityWarning).named(ReasonMalformedPacket)
	ruleWillMissing           = malformed("C6", "3.1.2-9", "3.1.2-9", "with the will flag set, the will's fields are present").by(SideClient)
	ruleWillQoSWithoutWill    = malformed("C8", "3.1.2-13", "3.1.2-11", "without a will, the will QoS is 0").by(SideClient).in31(SeverityWarning)
	ruleWillQoS3              = malformed("C9", "3.1.2-14", "3.1.2-12", "the will QoS is never 3").by(SideClient).named(ReasonMalformedPacket)
	ruleWillRetainWithoutWill = malformed("C10", "3.1.2-15", "3.1.2-13", "without a will, the will retain flag is 0").by(SideClient).in31(SeverityWarning)
	ruleNoUserNameFlag        = malformed("C11", "3.1.2-18", "3.1.2-16", "without the user name flag there is no user name after the other fields").by(SideClient)
	ruleUserNameMissing       = malformed("C12", "3.1.2-19", "3.1.2-17", "with the user name flag set, a user name is present").by(SideClient).in31(SeverityNote)
	ruleNoPasswordFlag        = malformed("C13", "3.1.2-20", "3.1.2-18", "without the password flag there is no password after the user name").by(SideClient)
	rulePasswordMissing       = malformed("C14", "3.1.2-21", "3.1.2-19", "with the password flag set, a password is present").by(SideClient).in31(SeverityNote)
	rulePasswordAlone         = protocol("C15", "3.1.2-22", "", "a password needs a user name before 5.0").by(SideClient).general(0).in31(SeverityNote)
	ruleClientIDMissing       = malformed("C17", "3.1.3-3", "3.1.3-3", "the client identifier is the first field of the payload").by(SideClient)
	ruleClientIDUTF8          = malformed("C18", "3.1.3-4", "3.1.3-4", "the client identifier is a UTF-8 string").by(SideClient).named(ReasonMalformedPacket)
	ruleClientIDEmpty         = protocol("C19", "3.1.3-7", "", "an empty client identifier needs a clean session").by(SideClient).general(0).in31(SeverityWarning)
	ruleClientIDLength        = func() Rule {
		// 3.1 allows 1 to 23 characters; later versions only oblige the server to accept those (trap 3).
		r := protocol("id-length", "", "", "a client identifier has 1 to 23 characters in 3.1").by(SideClient).general(0)
		return r.in31(SeverityWarning)
	}()
	ruleWillTopicUTF8     = malformed("C25", "3.1.3-10", "3.1.3-11", "the will topic is a UTF-8 string").by(SideClient).named(ReasonMalformedPacket)
	ruleUserNameUTF8      = malformed("C26", "3.1.3-11", "3.1.3-12", "the user name is a UTF-8 string").by(SideClient).named(ReasonMalformedPacket)
	ruleWillTopicWildcard = malformed("C27", "4.7.1-1", "4.7.0-1", "a will topic has no wildcards").by(SideClient)
	ruleWillTopicEmpty    = malformed("C28", "4.7.3-1", "4.7.3-1", "a will topic has at least one character").by(SideClient)
	ruleAuthDataAlone     = protocol("C36", "", "§3.1.2.11.10", "authentication data needs an authentication method").by(SideClient).named(ReasonProtocolError)
	ruleBridge            = protocol("bridge", "§3.1.2.2", "", "a mosquitto bridge sets bit 7 of the protocol level").by(SideClient).general(0).all(SeverityNote)
)

// CONNACK.
var (
	ruleConnackFlags    = malformed("D3", "§3.2.2.1", "3.2.2-1", "bits 7 to 1 of the acknowledge flags are 0").by(SideServer).in31(SeverityNote)
	ruleSessionPresent  = protocol("D7", "3.2.2-4", "3.2.2-6", "a refusal has session present 0").by(SideServer).general(0).in31(SeverityNone)
	ruleConnackCode     = protocol("D9", "§3.2.2.3", "3.2.2-8", "the code is one of the table for CONNACK").by(SideServer)
	ruleConnackShape    = protocol("shape", "", "§3.2.2", "the server refuses in the shape of 3.1.1, as one that does not know 5.0 does").by(SideServer).general(0).all(SeverityWarning)
	ruleServerReference = protocol("D27", "", "§3.2.2.3.16", `a server reference goes with "use another server" or "server moved"`).by(SideServer).general(0).all(SeverityNote)
)

// PUBLISH and its acknowledgements.
var (
	ruleDupQoS0               = malformed("E1", "3.3.1-2", "3.3.1-2", "DUP is 0 at QoS 0").in31(SeverityNone)
	ruleQoS3                  = malformed("E3", "3.3.1-4", "3.3.1-4", "the QoS is never 3").named(ReasonMalformedPacket)
	ruleTopicUTF8             = malformed("E4", "3.3.2-1", "3.3.2-1", "the topic name is a UTF-8 string").named(ReasonMalformedPacket)
	ruleTopicWildcard         = malformed("E5", "3.3.2-2", "3.3.2-2", "a topic name has no wildcards")
	ruleTopicEmpty            = protocol("E6", "4.7.3-1", "§3.3.2.1", "a topic name has at least one character unless a topic alias stands for it").named(ReasonProtocolError)
	ruleAliasZero             = protocol("E7", "", "3.3.2-8", "a topic alias is not 0").named(ReasonTopicAliasInvalid)
	ruleResponseTopicUTF8     = malformed("E9", "", "3.3.2-13", "the response topic is a UTF-8 string").named(ReasonMalformedPacket)
	ruleResponseTopicWildcard = protocol("E10", "", "3.3.2-14", "a response topic has no wildcards")
	ruleContentTypeUTF8       = malformed("E13", "", "3.3.2-19", "the content type is a UTF-8 string").named(ReasonMalformedPacket)
	ruleClientSubscriptionID  = protocol("E16", "", "3.3.4-6", "a client's PUBLISH carries no subscription identifier").by(SideClient).directional()

	ruleFlagsPubrel   = malformed("F1", "3.6.1-1", "3.6.1-1", "the flags of PUBREL are 0010").in31(SeverityWarning).named(ReasonMalformedPacket)
	rulePubackCode    = protocol("F2", "", "3.4.2-1", "the reason code is one of the table for PUBACK")
	rulePubrecCode    = protocol("F3", "", "3.5.2-1", "the reason code is one of the table for PUBREC")
	rulePubrelCode    = protocol("F4", "", "3.6.2-1", "the reason code is one of the table for PUBREL")
	rulePubcompCode   = protocol("F5", "", "3.7.2-1", "the reason code is one of the table for PUBCOMP")
	ruleAckLength     = malformed("F6", "§3.4.1", "", "an acknowledgement before 5.0 has remaining length 2").general(0)
	ruleAckServerCode = protocol("no-match", "", "§3.4.2.1", `only a server says "no matching subscribers"`).by(SideClient).directional().all(SeverityWarning)
)

// SUBSCRIBE to UNSUBACK.
var (
	ruleFlagsSubscribe  = malformed("G1", "3.8.1-1", "3.8.1-1", "the flags of SUBSCRIBE are 0010").by(SideClient).in31(SeverityWarning).named(ReasonMalformedPacket)
	ruleFilterUTF8      = malformed("G2", "3.8.3-1", "3.8.3-1", "a topic filter is a UTF-8 string").by(SideClient).named(ReasonMalformedPacket)
	ruleNoFilters       = protocol("G3", "3.8.3-3", "3.8.3-2", "SUBSCRIBE has at least one topic filter").by(SideClient).named(ReasonProtocolError)
	ruleOptionsReserved = malformed("G4", "3.8.3-4", "3.8.3-5", "the reserved bits of the subscription options are 0").by(SideClient).in31(SeverityWarning).named(ReasonMalformedPacket)
	ruleOptionsQoS      = protocol("G5", "3.8.3-4", "§3.8.3.1", "the requested QoS is not 3").by(SideClient).named(ReasonProtocolError)
	ruleRetainHandling  = protocol("G6", "", "§3.8.3.1", "retain handling is not 3").by(SideClient).named(ReasonProtocolError)
	ruleNoLocalShared   = protocol("G7", "", "3.8.3-4", "no local is not set on a shared subscription").by(SideClient).named(ReasonProtocolError)
	ruleSubackCode      = protocol("G9", "3.9.3-2", "3.9.3-2", "a code is one of the table for SUBACK").by(SideServer)
	ruleSubackEmpty     = protocol("G9", "§3.9.3", "§3.9.3", "SUBACK has a code for each topic filter, so at least one").by(SideServer)
	ruleSuback31        = func() Rule {
		r := protocol("G9", "", "", "the code 0x80 came with 3.1.1").by(SideServer).general(0)
		return r.in31(SeverityWarning)
	}()

	ruleFlagsUnsubscribe = malformed("H1", "3.10.1-1", "3.10.1-1", "the flags of UNSUBSCRIBE are 0010").by(SideClient).in31(SeverityWarning).named(ReasonMalformedPacket)
	ruleUnfilterUTF8     = malformed("H2", "3.10.3-1", "3.10.3-1", "a topic filter is a UTF-8 string").by(SideClient).named(ReasonMalformedPacket)
	ruleNoUnfilters      = protocol("H3", "3.10.3-2", "3.10.3-2", "UNSUBSCRIBE has at least one topic filter").by(SideClient).named(ReasonProtocolError)
	ruleUnsubackLength   = malformed("H4", "§3.11.1", "", "UNSUBACK before 5.0 has remaining length 2 and no codes").by(SideServer).general(0)
	ruleUnsubackCode     = protocol("H5", "", "3.11.3-2", "a code is one of the table for UNSUBACK").by(SideServer)
	ruleUnsubackEmpty    = protocol("H5", "", "§3.11.3", "UNSUBACK has a code for each topic filter, so at least one").by(SideServer)
)

// PINGREQ to AUTH.
var (
	rulePingreqLength  = malformed("I1", "§3.12.1", "§3.12.1", "PINGREQ has remaining length 0").by(SideClient)
	rulePingrespLength = malformed("I2", "§3.13.1", "§3.13.1", "PINGRESP has remaining length 0").by(SideServer)

	ruleFlagsDisconnect     = malformed("J1", "3.14.1-1", "3.14.1-1", "the flags of DISCONNECT are 0").in31(SeverityWarning).named(ReasonMalformedPacket)
	ruleDisconnectLength    = malformed("J2", "§3.14.1", "", "DISCONNECT before 5.0 has remaining length 0").by(SideClient).general(0)
	ruleDisconnectCode      = protocol("J4", "", "3.14.2-1", "the reason code is one of the table for DISCONNECT")
	ruleDisconnectSide      = protocol("J5", "", "§3.14.2.1", "the reason code may be sent by this side").directional()
	ruleDisconnectExpiry    = protocol("J6", "", "3.14.2-2", "a server's DISCONNECT has no session expiry interval").by(SideServer).directional()
	ruleDisconnectReference = protocol("J9", "", "§3.14.2.2.5", `a server reference comes from the server, with "use another server" or "server moved"`).general(0).all(SeverityNote)

	ruleFlagsAuth     = malformed("K1", "", "3.15.1-1", "the flags of AUTH are 0").named(ReasonMalformedPacket)
	ruleAuthCode      = protocol("K2", "", "3.15.2-1", "the reason code is one of the table for AUTH")
	ruleAuthSide      = protocol("K3", "", "§3.15.2.1", "the reason code may be sent by this side").directional()
	ruleAuthMethod    = protocol("K4", "", "§3.15.2.2.2", "AUTH has an authentication method").named(ReasonProtocolError)
	ruleAuthShorthand = protocol("K4", "", "§3.15.2.2.2", "AUTH of length 0 is allowed by one section and lacks the authentication method that another demands").all(SeverityWarning).named(ReasonProtocolError)
)

// Properties, beside the rules made from the property table.
var (
	rulePropertyID       = malformed("L1", "", "§2.2.2.2", "the property is known and allowed in this packet").named(ReasonMalformedPacket)
	rulePropertyType     = malformed("L2", "", "§2.2.2.2", "a property's value has its type and ends within the property length").named(ReasonMalformedPacket)
	rulePropertyIDLength = malformed("L5", "", "§2.2.2.2", "a property identifier takes one byte").named(ReasonMalformedPacket)
)

// Topic filters.
var (
	ruleHashPlace   = malformed("P2", "4.7.1-2", "4.7.1-1", `"#" is a whole level and the last`).by(SideClient).general(ReasonTopicFilterInvalid)
	rulePlusPlace   = malformed("P3", "4.7.1-3", "4.7.1-2", `"+" is a whole level`).by(SideClient).general(ReasonTopicFilterInvalid)
	ruleFilterEmpty = malformed("P4", "4.7.3-1", "4.7.3-1", "a topic filter has at least one character").by(SideClient)
	ruleShareName   = malformed("P8", "", "4.8.2-1", "a shared subscription names a share of one character or more").by(SideClient).general(ReasonTopicFilterInvalid)
	ruleShareFilter = malformed("P9", "", "4.8.2-2", `a share name has no wildcards and is followed by "/" and a topic filter`).by(SideClient).general(ReasonTopicFilterInvalid)
)
