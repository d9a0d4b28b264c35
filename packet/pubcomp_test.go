package packet

import "testing"

func TestPubcomp(t *testing.T) {
	for _, v := range []Version{V31, V311, V5} {
		roundTrip(t, v, &Pubcomp{PacketID: 0x1234}, "70 02 1234")
		refuses(t, v, &Pubcomp{}, ErrProtocol, "Packet Identifier")
	}
	roundTrip(t, V5, &Pubcomp{PacketID: 1, ReasonCode: 0x92}, "70 03 0001 92")
	roundTrip(t, V5, &Pubcomp{PacketID: 1, Properties: Properties("\x1f\x00\x01y")}, "70 08 0001 00 04 1f0001 79")
	refuses(t, V311, &Pubcomp{PacketID: 1, ReasonCode: 0x92}, ErrProtocol, "Reason Code")
	refuses(t, V311, &Pubcomp{PacketID: 1, Properties: Properties("\x1f\x00\x01y")}, ErrProtocol, "Properties")
	refuses(t, V5, &Pubcomp{PacketID: 1, ReasonCode: 0x8f}, ErrProtocol, "Reason Code")
	refuses(t, V5, &Pubcomp{PacketID: 1, Properties: Properties{0x23, 0, 1}}, ErrMalformed, "Topic Alias")
}
