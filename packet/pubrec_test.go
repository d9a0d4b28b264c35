package packet

import "testing"

func TestPubrec(t *testing.T) {
	for _, v := range []Version{V31, V311, V5} {
		roundTrip(t, v, &Pubrec{PacketID: 0x1234}, "50 02 1234")
		refuses(t, v, &Pubrec{}, ErrProtocol, "Packet Identifier")
	}
	roundTrip(t, V5, &Pubrec{PacketID: 1, ReasonCode: 0x91}, "50 03 0001 91")
	roundTrip(t, V5, &Pubrec{PacketID: 1, Properties: Properties("\x1f\x00\x01y")}, "50 08 0001 00 04 1f0001 79")
	refuses(t, V311, &Pubrec{PacketID: 1, ReasonCode: 0x91}, ErrProtocol, "Reason Code")
	refuses(t, V311, &Pubrec{PacketID: 1, Properties: Properties("\x1f\x00\x01y")}, ErrProtocol, "Properties")
	refuses(t, V5, &Pubrec{PacketID: 1, ReasonCode: 0x8f}, ErrProtocol, "Reason Code")
	refuses(t, V5, &Pubrec{PacketID: 1, Properties: Properties{0x23, 0, 1}}, ErrMalformed, "Topic Alias")
}
