package packet

import "testing"

func TestPubrel(t *testing.T) {
	for _, v := range []Version{V31, V311, V5} {
		roundTrip(t, v, &Pubrel{PacketID: 0x1234}, "62 02 1234")
		refuses(t, v, &Pubrel{}, ErrProtocol, "Packet Identifier")
	}
	roundTrip(t, V31, &Pubrel{Dup: true, PacketID: 1}, "6a 02 0001")
	roundTrip(t, V5, &Pubrel{PacketID: 1, ReasonCode: ReasonPacketIDNotFound}, "62 03 0001 92")
	roundTrip(t, V5, &Pubrel{PacketID: 1, Properties: Properties("\x1f\x00\x01y")}, "62 08 0001 00 04 1f0001 79")
	refuses(t, V311, &Pubrel{Dup: true, PacketID: 1}, ErrProtocol, "DUP")
	refuses(t, V311, &Pubrel{PacketID: 1, ReasonCode: 0x92}, ErrProtocol, "Reason Code")
	refuses(t, V5, &Pubrel{PacketID: 1, ReasonCode: 0x80}, ErrProtocol, "Reason Code") // [MQTT-3.6.2-1]
}
