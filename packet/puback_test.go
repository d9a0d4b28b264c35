package packet

import "testing"

func TestPuback(t *testing.T) {
	for _, v := range []Version{V31, V311, V5} {
		roundTrip(t, v, &Puback{PacketID: 0x1234}, "40 02 1234")
		refuses(t, v, &Puback{}, ErrProtocol, "Packet Identifier")
	}
	roundTrip(t, V5, &Puback{PacketID: 1, ReasonCode: 0x10}, "40 03 0001 10")
	roundTrip(t, V5, &Puback{PacketID: 1, Properties: Properties("\x1f\x00\x01y")}, "40 08 0001 00 04 1f0001 79")
	refuses(t, V311, &Puback{PacketID: 1, ReasonCode: 0x10}, ErrProtocol, "Reason Code")
	refuses(t, V311, &Puback{PacketID: 1, Properties: Properties("\x1f\x00\x01y")}, ErrProtocol, "Properties")
	refuses(t, V5, &Puback{PacketID: 1, ReasonCode: 0x8f}, ErrProtocol, "Reason Code")
	refuses(t, V5, &Puback{PacketID: 1, Properties: Properties{0x23, 0, 1}}, ErrMalformed, "Topic Alias")
}
